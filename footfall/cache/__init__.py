"""Cached pages, and the counters in them."""
