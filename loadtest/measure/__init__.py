"""Measures one approach under one load."""
