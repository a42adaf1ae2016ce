"""Hosts of plug-ins: LV2, pyo, VST3; each opens one by its name and runs it block by block."""
