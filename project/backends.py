"""What the environment names: the database, Redis servers, the storage of files, mail server."""

import sys
from typing import Any
from urllib.parse import urlsplit

from environs.exceptions import EnvError

from footfall.eventlog import is_cluster
from project.environment import env

TIMEOUTS = "-c lock_timeout=10s -c idle_in_transaction_session_timeout=30s"


def database() -> dict[str, Any]:
    """Return the default database: `DATABASE_URL`, or the `POSTGRES_*` that Compose has."""
    if host := env.str("POSTGRES_HOST", ""):
        config: dict[str, Any] = {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": host,
            "PORT": env.str("POSTGRES_PORT", "5432"),
            "NAME": env.str("POSTGRES_DB"),
            "USER": env.str("POSTGRES_USER"),
            "PASSWORD": env.str("POSTGRES_PASSWORD"),
        }
    else:
        config = dict(env.dj_db_url("DATABASE_URL"))
    # Django's runserver has a thread for each connection of a client; each would keep one open.
    config |= {"CONN_MAX_AGE": 0 if "runserver" in sys.argv else 600, "CONN_HEALTH_CHECKS": True}
    if tune := TUNED.get(config["ENGINE"]):
        config |= tune(config.get("OPTIONS", {}))
    return config


def _postgresql(options: dict[str, Any]) -> dict[str, Any]:
    pooled = env.bool("DATABASE_POOLED", False)
    return {
        # A pooler in transaction mode may run the next statement on another connection.
        "DISABLE_SERVER_SIDE_CURSORS": pooled,
        "OPTIONS": {
            "connect_timeout": 3,
            # A host that is gone sends nothing: notice it within some 15 seconds.
            "keepalives_idle": 5,
            "keepalives_interval": 5,
            "keepalives_count": 2,
            "tcp_user_timeout": 15_000,
            # A worker that hangs must not hold its locks for ever. A pooler accepts none of these:
            # behind one, the server is started with them.
            **({} if pooled else {"options": TIMEOUTS}),
            **options,
        },
    }


def _sqlite(options: dict[str, Any]) -> dict[str, Any]:
    # One connection writes while others read. A writer takes the lock when it begins.
    init = "PRAGMA journal_mode = WAL"
    return {"OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": init}}


def _mysql(options: dict[str, Any]) -> dict[str, Any]:
    # Only MariaDB has the limit in the comment. MySQL keeps locks until the client disconnects.
    limits = "innodb_lock_wait_timeout = 10 /*M! , idle_transaction_timeout = 30 */"
    # Django writes and reads UTC, but CURRENT_TIMESTAMP is in the zone of the session.
    init = f"SET SESSION time_zone = '+00:00', {limits}"
    return {
        "ENGINE": "project.databases.mysql",
        "OPTIONS": {"connect_timeout": 3, "init_command": init, **options},
    }


TUNED = {
    "django.db.backends.postgresql": _postgresql,
    "django.db.backends.sqlite3": _sqlite,
    "django.db.backends.mysql": _mysql,
}


REDIS_URL = env.str("REDIS_URL")


def redis_server(variable: str) -> str:
    """Return the server that a variable names, by default that of `REDIS_URL`.

    Raises `EnvError` for a cluster: neither Celery's broker nor Django's cache can use one.
    """
    url: str = env.str(variable, "") or REDIS_URL
    if not is_cluster(url):
        return url
    if url == REDIS_URL:
        raise EnvError(
            f'Environment variable "{variable}" not set: '
            "it names a single Redis server beside the cluster of REDIS_URL."
        )
    raise EnvError(f'Environment variable "{variable}" invalid: it must be a single server.')


def broker_url() -> str:
    """Return `CELERY_BROKER_URL` in Celery's notation, which differs for a unix socket."""
    url = redis_server("CELERY_BROKER_URL")
    if url.startswith("unix://"):
        path, _, query = url.removeprefix("unix://").partition("?")
        return f"redis+socket://{path}?virtual_host={query.removeprefix('db=') or 0}"
    return url


def storage() -> dict[str, Any]:
    """Return Django's storage of files: `MEDIA_ROOT`, or the bucket that `S3_BUCKET` names."""
    if not (bucket := env.str("S3_BUCKET", "")):
        return {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config

    options = {
        "bucket_name": bucket,
        "endpoint_url": env.str("S3_ENDPOINT_URL", "") or None,
        "region_name": env.str("S3_REGION", "us-east-1"),
        "access_key": env.str("S3_ACCESS_KEY_ID", "") or None,
        "secret_key": env.str("S3_SECRET_ACCESS_KEY", "") or None,
        "querystring_expire": 600,  # seconds for which the address of a download is valid
        "client_config": Config(
            connect_timeout=3,
            read_timeout=20,
            retries={"max_attempts": 3},
            signature_version="s3v4",
        ),
        # A thread of the web server sends two parts of 8 MiB at a time.
        "transfer_config": TransferConfig(max_concurrency=2),
    }
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}


def bucket_origins() -> list[str]:
    """Return the origins of the bucket, to which downloads are redirected; [] without one."""
    if not env.str("S3_BUCKET", ""):
        return []
    endpoint = urlsplit(env.str("S3_ENDPOINT_URL", ""))
    if not endpoint.netloc:
        return ["https://*.amazonaws.com"]
    return [f"{endpoint.scheme}://{endpoint.netloc}", f"{endpoint.scheme}://*.{endpoint.netloc}"]


def mail_server() -> dict[str, Any]:
    """Return the EMAIL_* settings of `EMAIL_URL`: `smtp://user:password@host:587/?tls=1`."""
    found: dict[str, Any] = env.dj_email_url("EMAIL_URL", "console:")
    if "EMAIL_BACKEND" not in found:
        raise EnvError('Environment variable "EMAIL_URL" invalid: no such scheme.')
    return found
