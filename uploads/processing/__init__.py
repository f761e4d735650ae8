"""Processes the files in the queue, each once; see `worker`."""
