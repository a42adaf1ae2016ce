"""Sound to events."""
