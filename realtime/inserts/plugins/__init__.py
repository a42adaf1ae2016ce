"""What a plug-in is, whoever hosts it."""
