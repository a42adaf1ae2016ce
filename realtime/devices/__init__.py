"""Sound devices, and how samples get to them and back."""
