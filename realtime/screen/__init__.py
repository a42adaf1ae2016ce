"""What a player sees: status, pictures, messages."""
