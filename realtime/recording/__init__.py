"""Takes and sound recorded while the music plays."""
