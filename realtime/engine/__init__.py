"""The audio thread: compiled, without Python, and its parameters and clocks."""
