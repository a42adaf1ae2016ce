"""Backing phrases on their beat."""
