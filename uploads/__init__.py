"""Uploaded files, each processed once in the background."""
