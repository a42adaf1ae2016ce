"""What an event is: its vector, its meaning, its controls."""
