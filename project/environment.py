"""Reads the environment, for the settings.

A secret may be in a file that `<NAME>_FILE` names, as in Compose. `REDIS_URL` and `DATABASE_URL`
may leave their password to `REDIS_PASSWORD` and `DATABASE_PASSWORD`. Beside a `make run`, its
`DATA_DIR` has the secret key and the addresses of its stores for commands that are not told them.
"""

import os
import warnings
from pathlib import Path
from urllib.parse import quote, urlsplit

from environs import Env, ValidationError, validate
from environs.exceptions import EnvError

from footfall.common.addresses import split
from footfall.conf import SETTINGS, Setting, T

env = Env()
positive = validate.Range(min=1)

ROOT = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.str("DATA_DIR", str(ROOT / ".data"))).resolve()

SECRETS = (
    "DJANGO_SECRET_KEY",
    "DJANGO_SUPERUSER_PASSWORD",
    "POSTGRES_PASSWORD",
    "DATABASE_PASSWORD",
    "DATABASE_URL",
    "DATABASE_REPLICA_URL",
    "REDIS_PASSWORD",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "CACHE_URL",
    "EMAIL_URL",
    "S3_SECRET_ACCESS_KEY",
)
WRITTEN_BY_MAKE_RUN = {
    "secret-key": "DJANGO_SECRET_KEY",
    "database-url": "DATABASE_URL",
    "redis-url": "REDIS_URL",
}


def counters_setting(setting: Setting[T]) -> T:
    """Return the variable of that name, or the default. Raises `EnvError` if it is invalid."""
    read = getattr(env, setting.kind.__name__)
    bounds = (
        validate.Range(setting.minimum, setting.maximum) if setting.minimum is not None else None
    )
    value: T = read(setting.name, setting.default, validate=bounds)
    return value


def check_origins(origins: list[str]) -> None:
    """Raise ValidationError if these are not origins, as browsers send them, and not `*` alone."""
    for one in origins:
        parts = urlsplit(one)
        is_origin = parts.scheme in {"http", "https"} and one == f"{parts.scheme}://{parts.netloc}"
        if not (is_origin and parts.hostname) and origins != ["*"]:
            raise ValidationError(f"{one!r} is not an origin such as https://www.example.com")


def from_file(name: str) -> str:
    """Return what is in the file that `<name>_FILE` names, without line breaks at its end.

    It is "" without such a variable. Raises `EnvError` if the file cannot be read.
    """
    if not (path := os.environ.get(f"{name}_FILE")):
        return ""
    try:
        return Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        raise EnvError(f'Environment variable "{name}_FILE" invalid: {error}') from error


def with_password(url: str, password: str) -> str:
    """Return `url` with `password`, unless it has one or has no server to send it to."""
    parts, _, servers = split(url)
    if not password or parts.password or not parts.netloc:
        return url
    netloc = f"{parts.username or ''}:{quote(password, safe='')}@{','.join(servers)}"
    return parts._replace(netloc=netloc).geturl()


# All of it goes into `os.environ`: processes that are started by this one read it there.
for setting in SETTINGS:
    if setting.old_name in os.environ:
        message = f"The variable {setting.old_name} is now called {setting.name}."
        warnings.warn(message, FutureWarning, stacklevel=1)
        os.environ.setdefault(setting.name, os.environ.pop(setting.old_name))

for name in SECRETS:
    if not os.environ.get(name) and (value := from_file(name)):
        os.environ[name] = value

for file, name in WRITTEN_BY_MAKE_RUN.items():
    if name not in os.environ and (path := DATA_DIR / file).is_file():
        os.environ[name] = path.read_text().strip()

for name, password in (
    ("DATABASE_URL", env.str("DATABASE_PASSWORD", "")),
    ("DATABASE_REPLICA_URL", env.str("DATABASE_PASSWORD", "")),
    ("REDIS_URL", env.str("REDIS_PASSWORD", "")),
):
    if url := os.environ.get(name):
        os.environ[name] = with_password(url, password)
