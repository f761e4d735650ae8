"""What processes that a test starts get of its environment.

To measure coverage makes a process half as fast: one that is killed tells none, and of many running
services one is enough.
"""

import os

COVERAGE = "COVERAGE_PROCESS_CONFIG"
MEASURED = {name: value for name, value in os.environ.items() if name == COVERAGE}


def unmeasured() -> dict[str, str]:
    """Return all of this environment, except for what measures the coverage."""
    return {name: value for name, value in os.environ.items() if name != COVERAGE}


PRODUCTION = {
    "PATH": os.environ["PATH"],
    "DATA_DIR": "/nonexistent",
    "DJANGO_SECRET_KEY": "checked-only-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ",
    "DATABASE_URL": "postgres://footfall:secret@db.example/footfall",
    "REDIS_URL": "redis://redis.example/0",
    "ALLOWED_HOSTS": "footfall.example",
}
"""A production-like environment. No store is there: nothing may connect."""
