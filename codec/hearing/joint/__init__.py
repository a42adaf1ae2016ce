"""Encoding files: events of a long window picked and fitted together."""
