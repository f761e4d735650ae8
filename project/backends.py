"""What the environment names: the database, Redis servers, the storage of files, mail server."""

import sys
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

import dj_database_url
from environs.exceptions import EnvError
from redis.connection import parse_url

from footfall.common.addresses import split
from footfall.eventlog import is_cluster, is_sentinel
from footfall.eventlog.sentinel import Named
from project.databases.replica import ALIAS
from project.environment import env

WRITABLE = {"target_session_attrs": "read-write"}  # of several hosts
REPLICA_URL = "DATABASE_REPLICA_URL"
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
            "OPTIONS": WRITABLE if "," in host else {},
        }
    else:
        config = _by_url("DATABASE_URL")
    return tuned(config)


def replica() -> dict[str, Any]:
    """Return the replica that `DATABASE_REPLICA_URL` names, by its alias; {} without one."""
    if not env.str(REPLICA_URL, ""):
        return {}
    config = _by_url(REPLICA_URL)
    if config["ENGINE"] != "django.db.backends.postgresql":
        raise EnvError(f'Environment variable "{REPLICA_URL}" invalid: it must be PostgreSQL.')
    # Of several hosts any will do.
    config["OPTIONS"] = {**config.get("OPTIONS", {}), "target_session_attrs": "any"}
    return {ALIAS: tuned(config) | {"TEST": {"MIRROR": "default"}}}


def tuned(config: dict[str, Any]) -> dict[str, Any]:
    # Django's runserver has a thread for each connection of a client; each would keep one open.
    config |= {"CONN_MAX_AGE": 0 if "runserver" in sys.argv else 600, "CONN_HEALTH_CHECKS": True}
    if tune := TUNED.get(config["ENGINE"]):
        config |= tune(config.get("OPTIONS", {}))
    return config


def _by_url(variable: str) -> dict[str, Any]:
    """Return the database that a variable names; PostgreSQL may have several hosts.

    Of these the one is used that takes writes, unless `target_session_attrs` says otherwise.
    """
    parts, user, servers = split(env.str(variable))
    if len(servers) < 2 or not parts.scheme.startswith("postgres"):
        return dict(env.dj_db_url(variable))
    try:
        found = [_host(one) for one in servers]
    except ValueError as error:
        raise EnvError(f'Environment variable "{variable}" invalid: {error}.') from error
    config: dict[str, Any] = dict(dj_database_url.parse(parts._replace(netloc=f"{user}_").geturl()))
    names, ports = (",".join(each) for each in zip(*found, strict=True))
    options = {**WRITABLE, **config.get("OPTIONS", {})}
    return config | {"HOST": names, "PORT": ports, "OPTIONS": options}


def _host(text: str) -> tuple[str, str]:
    """Return host and port of `host:port`; the host may be the folder of a socket, quoted."""
    port = urlsplit(f"//{text}").port or 5432  # raises ValueError
    host = unquote(text.removesuffix(f":{port}")).strip("[]")
    if not host:
        raise ValueError("a host is missing")
    return host, str(port)


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
    if is_cluster(url) and url == REDIS_URL:
        raise EnvError(
            f'Environment variable "{variable}" not set: '
            "it names a single Redis server beside the cluster of REDIS_URL."
        )
    if is_cluster(url):
        raise EnvError(f'Environment variable "{variable}" invalid: it must be a single server.')
    if is_sentinel(url):
        try:
            Named.by(url)
        except ValueError as error:
            name = "REDIS_URL" if url == REDIS_URL else variable
            raise EnvError(f'Environment variable "{name}" invalid: {error}.') from error
    return url


def cache(options: dict[str, Any]) -> dict[str, Any]:
    """Return the address and the options of Django's cache: `CACHE_URL`."""
    url = redis_server("CACHE_URL")
    if not is_sentinel(url):
        return {"LOCATION": url, "OPTIONS": options}
    pool = "footfall.eventlog.sentinel.MasterPool"
    # In a list: Django takes a text with commas for several servers.
    return {"LOCATION": [url], "OPTIONS": {**options, "pool_class": pool}}


class Broker(NamedTuple):
    """Celery's broker, in Celery's notation."""

    url: str
    options: dict[str, Any]
    """Of its transport."""
    ssl: dict[str, Any] | None


def broker() -> Broker:
    """Return what `CELERY_BROKER_URL` names."""
    url = redis_server("CELERY_BROKER_URL")
    if url.startswith("unix://"):
        path, _, query = url.removeprefix("unix://").partition("?")
        socket = f"redis+socket://{path}?virtual_host={query.removeprefix('db=') or 0}"
        return Broker(socket, {}, None)
    if is_sentinel(url):
        return _broker_of_sentinels(Named.by(url))
    if url.startswith("rediss://"):
        options = parse_url(url)  # type: ignore[no-untyped-call]
        address = f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
        return Broker(f"rediss://{_at(options, address)}", {}, _tls(options))
    return Broker(url, {}, None)


def _broker_of_sentinels(named: Named) -> Broker:
    urls = [f"sentinel://{_at(named.options, f'{host}:{port}')}" for host, port in named.sentinels]
    timeouts = {"socket_timeout": 1, "socket_connect_timeout": 1}
    options = {
        "master_name": named.service_name,
        "sentinel_kwargs": {**timeouts, **named.sentinel_options},
    }
    return Broker(";".join(urls), options, _tls(named.options) if named.is_encrypted else None)


def _at(options: dict[str, Any], address: str) -> str:
    """Return user, password, address and database, as a URL has them."""
    user, password = (quote(options.get(name, ""), safe="") for name in ("username", "password"))
    before = f"{user}:{password}@" if password else ""
    return f"{before}{address}/{options.get('db', 0)}"


def _tls(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of TLS. By default Celery would check no certificate."""
    given = {name: value for name, value in options.items() if name.startswith("ssl_")}
    return {"ssl_cert_reqs": "required", **given}


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
