"""From the log and the spill to the event store: claim, read, deduplicate, decode, trim."""
