"""Synthesisers among the plug-ins, played from MIDI files, each time in a process of its own."""
