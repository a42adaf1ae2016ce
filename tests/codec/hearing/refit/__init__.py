"""Tests of refitting."""
