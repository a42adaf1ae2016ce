"""MARS: backing phrases from conditions, and its training."""
