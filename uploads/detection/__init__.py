"""Tells what a file is by its content: its type, and the encoding of a text."""
