"""The demo: a performance of our own, heard and played again."""
