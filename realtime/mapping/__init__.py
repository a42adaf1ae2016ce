"""What controllers turn: maps, takeover, learning."""
