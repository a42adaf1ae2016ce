"""Tempo: the clock that comes in over MIDI, followed; and the clock that goes out."""
