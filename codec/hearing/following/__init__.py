"""Hearing that goes on after an onset: events are amended and ended as more is heard."""
