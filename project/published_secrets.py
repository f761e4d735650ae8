"""Refuses keys and passwords that were once in this public repository."""

import os

from environs.exceptions import EnvError

from footfall.common.addresses import split

KEY = "for-development-only"  # how the key began
PASSWORD = "footfall"  # noqa: S105  # of the database and Redis in Compose

URLS = ("DATABASE_URL", "DATABASE_REPLICA_URL", "REDIS_URL", "CACHE_URL", "CELERY_BROKER_URL")


def refuse() -> None:
    """Raise `EnvError`, naming the variable, if a key or password is a published one."""
    if os.environ.get("DJANGO_SECRET_KEY", "").startswith(KEY):
        raise EnvError('Environment variable "DJANGO_SECRET_KEY" invalid: it is the published one.')
    names = ["REDIS_PASSWORD", "DATABASE_PASSWORD"]  # first: they are inserted into the URLs
    if os.environ.get("POSTGRES_HOST"):
        names.append("POSTGRES_PASSWORD")
    passwords = {name: os.environ.get(name) for name in names}
    passwords |= {name: split(os.environ.get(name, "")).parts.password for name in URLS}
    for name, password in passwords.items():
        if password == PASSWORD:
            raise EnvError(
                f'Environment variable "{name}" invalid: its password is the published one. '
                "Choose another. With Compose, leave it out of .env instead: then one is made, "
                "and a database that has the old one is given the new one."
            )
