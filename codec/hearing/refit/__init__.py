"""Refitting: events are moved downhill until their spectrogram is the one heard. Compiled, gradients by hand."""
