"""What runs inside a rack's process: the plug-ins of its lanes, one block after another."""
