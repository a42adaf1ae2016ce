"""What can be done to events on their way: live, in patches, and in takes."""
