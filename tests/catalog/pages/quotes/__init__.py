"""A type of content in an app of its own."""
