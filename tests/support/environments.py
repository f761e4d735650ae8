"""Environments of processes that tests start."""

import os

PRODUCTION = {
    "PATH": os.environ["PATH"],
    "DATA_DIR": "/nonexistent",
    "DJANGO_SECRET_KEY": "checked-only-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ",
    "DATABASE_URL": "postgres://footfall:secret@db.example/footfall",
    "REDIS_URL": "redis://redis.example/0",
    "ALLOWED_HOSTS": "footfall.example",
}
"""A production-like environment. No store is there: nothing may connect."""
