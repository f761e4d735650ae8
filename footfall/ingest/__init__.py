"""From the log and the spill to sums: claim, read, deduplicate, decode."""
