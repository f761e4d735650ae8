"""The environment that the settings are read from.

A secret may be in a file that `<NAME>_FILE` names instead, as Compose's are. `REDIS_URL` and
`DATABASE_URL` may leave their password to `REDIS_PASSWORD` and `DATABASE_PASSWORD`.

`DATABASE_URL`, `REDIS_URL` and `DJANGO_SECRET_KEY` may be left out beside a `make run`: then they
are those of its embedded stores in `DATA_DIR`.
"""

import os
from pathlib import Path
from urllib.parse import quote, urlsplit

from environs import Env, validate
from environs.exceptions import EnvError

from standalone import addresses
from standalone.configuration import Configuration

env = Env()
positive = validate.Range(min=1)

DATA_DIR = Path(env.str("DATA_DIR", str(Configuration.data_dir))).resolve()

SECRETS = (
    "DJANGO_SECRET_KEY",
    "DJANGO_SUPERUSER_PASSWORD",
    "POSTGRES_PASSWORD",
    "DATABASE_PASSWORD",
    "DATABASE_URL",
    "REDIS_PASSWORD",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "CACHE_URL",
    "EMAIL_URL",
    "S3_SECRET_ACCESS_KEY",
)


def from_file(name: str) -> str:
    """Return what is in the file that `<name>_FILE` names, without a line break at its end.

    It is "" without such a variable; raises `EnvError` for a file that cannot be read.
    """
    if not (path := os.environ.get(f"{name}_FILE")):
        return ""
    try:
        return Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        raise EnvError(f'Environment variable "{name}_FILE" invalid: {error}') from error


def with_password(url: str, password: str) -> str:
    """Return `url` with `password`, unless it has one or has no server to send it to."""
    parts = urlsplit(url)
    if not password or parts.password or not parts.netloc:
        return url
    server = parts.netloc.rpartition("@")[2]
    netloc = f"{parts.username or ''}:{quote(password, safe='')}@{server}"
    return parts._replace(netloc=netloc).geturl()


# Into `os.environ`, for this process and those that it starts read them there.
for name in SECRETS:
    if not os.environ.get(name) and (value := from_file(name)):
        os.environ[name] = value

for name, embedded in (
    ("DJANGO_SECRET_KEY", addresses.secret_key),
    ("DATABASE_URL", addresses.database_url),
    ("REDIS_URL", addresses.redis_url),
):
    if name not in os.environ and (value := embedded(DATA_DIR) or ""):
        os.environ[name] = value

for name, password in (
    ("DATABASE_URL", env.str("DATABASE_PASSWORD", "")),
    ("REDIS_URL", env.str("REDIS_PASSWORD", "")),
):
    if url := os.environ.get(name):
        os.environ[name] = with_password(url, password)
