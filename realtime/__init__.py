"""Devices, threads, time and the command line."""
