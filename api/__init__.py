"""What the addresses of every app share."""
