"""pyo's objects as plug-ins."""
