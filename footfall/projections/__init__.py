"""What is computed from the events."""
