"""The codec's weights and what reads them."""
