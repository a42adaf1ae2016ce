"""The live host: everything put together."""
