"""Events to sound."""
