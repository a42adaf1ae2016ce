"""Events in files."""
