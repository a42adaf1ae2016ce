"""Hosted plug-ins in the signal path, in a process of their own."""
