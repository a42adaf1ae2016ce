"""The codec's networks and their training."""
