"""Processes the files whose rows say that they wait, each once; the queue only wakes `worker`."""
