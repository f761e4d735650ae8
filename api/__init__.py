"""Shared by the REST API of every app: throttles, permissions, parsing, pagination, errors."""
