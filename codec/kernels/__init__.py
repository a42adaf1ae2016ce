"""How Numba compiles kernels, and where it keeps them."""
