"""Kept counters: our rows for models of another app, with another key or in another database."""
