"""What is said of events that sound: as much as lessens the error for its bits."""
