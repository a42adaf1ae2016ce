"""Networks and their training (torch). Nothing here runs on the audio thread."""
