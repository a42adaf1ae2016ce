"""Refitting: events are moved downhill until their spectrogram is the one heard; compiled."""
