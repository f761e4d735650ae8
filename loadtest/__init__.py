"""Measures a running Footfall, and what one would use instead. Speaks HTTP, imports no app."""
