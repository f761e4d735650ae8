"""Shared by the admins of the catalogue: search by title, and what countable models show."""
