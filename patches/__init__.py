"""Shipped patches and inserts."""
