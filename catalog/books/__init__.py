"""Books: a small shelf that anyone reads and people with an account fill."""
