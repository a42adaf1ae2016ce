"""Tables of the documentation, made from what they describe."""
