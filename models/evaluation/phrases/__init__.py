"""Phrases judged: chords, onsets, tables, pictures, baselines."""
