"""Events and the two directions between them and sound: numpy and numba, no torch."""
