"""Files: taken in at once, processed in the background, each exactly once."""
