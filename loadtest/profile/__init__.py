"""Where the time of a read goes."""
