"""Where events from all sources meet the engine."""
