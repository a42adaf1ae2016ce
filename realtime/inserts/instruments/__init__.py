"""Instruments: how events and what becomes of them reach plug-ins that make sound from notes."""
