"""The event store: segments of events that are kept for good, each a row."""
