"""Streams of events as bytes: packets of a second, entropy-coded."""
