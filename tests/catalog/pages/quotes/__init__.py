"""A type of content that the service does not know: all that adding one takes."""
