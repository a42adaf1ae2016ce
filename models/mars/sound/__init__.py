"""Spectrograms of sound, and sound of spectrograms."""
