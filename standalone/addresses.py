"""The files in a data directory that hold the addresses of its embedded stores.

`make run` writes them. `project/environment.py` reads them, so that a command in a second shell
(`manage.py counters audit`) finds the stores without any variable.
"""

import secrets
from pathlib import Path

from standalone import directories

DATABASE_URL = "database-url"
REDIS_URL = "redis-url"
SECRET_KEY = "secret-key"  # noqa: S105  (the name of a file)


def read(data_dir: Path, name: str) -> str | None:
    """Return the content of the file `name`, or None if there is none."""
    try:
        return (data_dir / name).read_text().strip() or None
    except (FileNotFoundError, NotADirectoryError):
        return None


def write(data_dir: Path, name: str, value: str) -> str:
    """Write `value` into the file `name`, readable by its owner alone, and return it."""
    directories.write_private(data_dir / name, value + "\n")
    return value


def ensure_secret_key(data_dir: Path) -> str:
    """Return the data directory's secret key; the first call creates a random one."""
    return read(data_dir, SECRET_KEY) or write(data_dir, SECRET_KEY, secrets.token_urlsafe(50))
