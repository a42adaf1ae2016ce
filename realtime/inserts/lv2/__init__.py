"""LV2 plug-ins, through liblilv."""
