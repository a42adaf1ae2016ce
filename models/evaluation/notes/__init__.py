"""Single notes judged: pitch, family, distances."""
