"""Kept counters: rows of ours for models that another app, key or database has."""
