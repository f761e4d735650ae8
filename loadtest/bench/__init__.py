"""The command of `make bench`: measures the rows, and reports the figures."""
