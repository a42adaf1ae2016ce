"""What MARS is judged by."""
