"""The processors of the kinds of files: one module each."""
