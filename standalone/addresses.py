"""Where the embedded stores of a data directory are found, by any process on the machine.

A `make run` writes one small file per address into its data directory, so that a command in a
second shell (`manage.py counters audit`) finds the same stores with no variable set.
"""

import secrets
from pathlib import Path

from standalone import places

DATABASE_URL = "database-url"
REDIS_URL = "redis-url"
SECRET_KEY = "secret-key"  # noqa: S105  (the name of a file)


def database_url(data_dir: Path) -> str | None:
    """Return the embedded PostgreSQL's `postgres://` URL, or None when there never was one."""
    return _read(data_dir / DATABASE_URL)


def redis_url(data_dir: Path) -> str | None:
    """Return the embedded Redis' `unix://` URL, or None when there never was one."""
    return _read(data_dir / REDIS_URL)


def secret_key(data_dir: Path) -> str | None:
    """Return the secret key that was made for this data directory, or None."""
    return _read(data_dir / SECRET_KEY)


def ensure_secret_key(data_dir: Path) -> str:
    """Return the data directory's secret key; the first call makes a random one."""
    return secret_key(data_dir) or remember(data_dir, SECRET_KEY, secrets.token_urlsafe(50))


def remember(data_dir: Path, name: str, value: str) -> str:
    """Write `value` into the file `name`, readable by its owner alone, and return it."""
    places.write_private(data_dir / name, value + "\n")
    return value


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except (FileNotFoundError, NotADirectoryError):
        return None
