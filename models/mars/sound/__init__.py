"""Spectrograms to sound: MARS' frames, and the phases that they lack."""
