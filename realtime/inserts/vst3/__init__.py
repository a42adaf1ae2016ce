"""VST3 plug-ins, and pedalboard's own effects, through pedalboard."""
