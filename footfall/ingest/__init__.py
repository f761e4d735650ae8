"""From the log and the spill: claim, read, deduplicate, decode."""
