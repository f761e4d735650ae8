"""Tells what a file is by its first bytes: its content type, and the encoding of a text."""
