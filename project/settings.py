"""Every setting of Footfall, read from the environment.

A missing or unreadable variable ends the start with an error that names it. `DATABASE_URL`,
`REDIS_URL` and `DJANGO_SECRET_KEY` may be left out beside a `make run`: then they are those of its
embedded stores in `DATA_DIR`.
"""

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from environs import Env, validate
from environs.exceptions import EnvError

from counters.conf import Conf
from eventlog import is_cluster
from standalone import addresses

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()


DATA_DIR = Path(env.str("DATA_DIR", str(BASE_DIR / ".data"))).resolve()

for name, embedded in (
    ("DJANGO_SECRET_KEY", addresses.secret_key),
    ("DATABASE_URL", addresses.database_url),
    ("REDIS_URL", addresses.redis_url),
):
    if name not in os.environ and (value := embedded(DATA_DIR)):
        os.environ[name] = value

# --- Security -------------------------------------------------------------------------------------

DEBUG = env.bool("DJANGO_DEBUG", False)
SECRET_KEY = env.str("DJANGO_SECRET_KEY", validate=validate.Length(min=32))
if SECRET_KEY.startswith("for-development-only") and not DEBUG:
    raise EnvError('Environment variable "DJANGO_SECRET_KEY" invalid: it is the published one.')
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])

# Off where the service speaks plain HTTP to its clients: on one's own machine.
HTTPS = env.bool("DJANGO_HTTPS", not DEBUG)
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
X_FRAME_OPTIONS = "DENY"

# --- Application ----------------------------------------------------------------------------------

INSTALLED_APPS = [
    "nested_admin",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_celery_beat",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework.authtoken",
    "django_filters",
    "django_htmx",
    "djoser",
    "accounts",
    "counters",
    "catalog.pages",
    "catalog.books",
    "catalog.films",
    "uploads",
]

MIDDLEWARE = [  # a page that is prepared goes past it: catalog/pages/shortcut.py
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "project.policy.Policy",
    "project.bodies.Bodies",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "project.trail.Trail",
]

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "project" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = env.str("LANGUAGE_CODE", "en")
LANGUAGES = [("en", "English"), ("ru", "Русский")]  # each as its own speakers call it
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.str("TIME_ZONE", "UTC")
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "project" / "static"]
WHITENOISE_USE_FINDERS = True  # served from the packages: there is nothing to collect

MEDIA_ROOT = Path(env.str("MEDIA_ROOT", str(DATA_DIR / "media")))

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # The first one names the scheme of a 401: without it a stranger would get 403.
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticatedOrReadOnly"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "api.pagination.Pagination",
    "DEFAULT_THROTTLE_RATES": {
        scope: env.str(f"THROTTLE_{scope.upper()}", rate)
        for scope, rate in {
            "upload": "600/min",
            "register": "60/min",
            "login": "60/min",
            "login_account": "10/min",
            "reset": "20/min",
            "reset_account": "5/hour",
            "generate": "60/min",
        }.items()
    },
    # So many proxies stand before the service and append to X-Forwarded-For; 0: it is not believed.
    "NUM_PROXIES": env.int("TRUSTED_PROXIES", 0, validate=validate.Range(min=0)),
    "EXCEPTION_HANDLER": "project.errors.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Footfall",
    "DESCRIPTION": "Event-sourced view counting for Django, with batched flushes.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- Stores ---------------------------------------------------------------------------------------


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
    # Django's runserver has a thread for each connection of a client: what they kept would add up.
    config |= {"CONN_MAX_AGE": 0 if "runserver" in sys.argv else 600, "CONN_HEALTH_CHECKS": True}
    if config["ENGINE"] == "django.db.backends.postgresql":
        # A worker that is stopped while it holds its claim must not hold it for ever.
        pooled = env.bool("DATABASE_POOLED", False)
        # In transaction mode a cursor of the server would be looked for on another connection.
        config["DISABLE_SERVER_SIDE_CURSORS"] = pooled
        config["OPTIONS"] = {
            "connect_timeout": 3,
            # A host that is gone says nothing: find out within some 15 seconds.
            "keepalives_idle": 5,
            "keepalives_interval": 5,
            "keepalives_count": 2,
            "tcp_user_timeout": 15_000,
            # A pooler takes none: behind one, the server is started with them.
            **({} if pooled else {"options": TIMEOUTS}),
            **config.get("OPTIONS", {}),
        }
    elif config["ENGINE"] == "django.db.backends.sqlite3":
        # One writes while others read. Who is to write says so at once, and waits for its turn.
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode = WAL",
        }
    elif config["ENGINE"] == "django.db.backends.mysql":
        config["ENGINE"] = "project.mysql"
        # Only MariaDB has the one in a comment. MySQL keeps a claim until its client is gone.
        limits = "innodb_lock_wait_timeout = 10 /*M! , idle_transaction_timeout = 30 */"
        config["OPTIONS"] = {
            "connect_timeout": 3,
            "init_command": f"SET SESSION {limits}",
            **config.get("OPTIONS", {}),
        }
    return config


DATABASES = {"default": database()}
# How long it may say nothing to the web server: see `project/deadline.py`.
DATABASE_TIMEOUT_SECONDS = env.float(
    "DATABASE_TIMEOUT_SECONDS", 1.0, validate=validate.Range(min=0.1)
)
if DATABASES["default"]["ENGINE"] == "project.mysql":
    # It has no index of some rows only, and MariaDB none on an expression: a migration makes up.
    SILENCED_SYSTEM_CHECKS = ["models.W037", "models.W044"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL")


def redis_server(variable: str) -> str:
    """Return the single server that a variable names, by default the one of `REDIS_URL`.

    A broker is no cluster, since it moves messages between keys of many slots; nor is the cache.
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


CACHE_URL = redis_server("CACHE_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "footfall-cache",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1, "retry": None},
    },
    # What a process counts by itself while the cache is away.
    "process": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}

# --- Counting -------------------------------------------------------------------------------------

positive = validate.Range(min=1)

# The README says what each of these is for.
EVENTLOG_URL = REDIS_URL
EVENTLOG_PREFIX = env.str("EVENTLOG_PREFIX", Conf.EVENTLOG_PREFIX)
EVENTLOG_PARTITIONS = env.int("EVENTLOG_PARTITIONS", Conf.EVENTLOG_PARTITIONS, validate=positive)
EVENTLOG_MAX_BYTES = env.int("EVENTLOG_MAX_BYTES", Conf.EVENTLOG_MAX_BYTES, validate=positive)
EVENTLOG_RETENTION_SECONDS = env.int(
    "EVENTLOG_RETENTION_SECONDS", Conf.EVENTLOG_RETENTION_SECONDS, validate=positive
)
EVENTLOG_RETENTION_BYTES = env.int(
    "EVENTLOG_RETENTION_BYTES", Conf.EVENTLOG_RETENTION_BYTES, validate=positive
)
EVENTLOG_TIMEOUT_SECONDS = env.float(
    "EVENTLOG_TIMEOUT_SECONDS", Conf.EVENTLOG_TIMEOUT_SECONDS, validate=validate.Range(min=0.01)
)
# A prepared page lives so long at most: that bounds memory, and what a crash may leave stale.
PREPARED_SECONDS = env.float(
    "PREPARED_SECONDS", Conf.PREPARED_SECONDS, validate=validate.Range(min=1.0)
)
PREPARED_MAX_BYTES = env.int("PREPARED_MAX_BYTES", Conf.PREPARED_MAX_BYTES, validate=positive)
COUNTERS_BATCH_BYTES = env.int("COUNTERS_BATCH_BYTES", Conf.COUNTERS_BATCH_BYTES, validate=positive)
COUNTERS_BATCH_EVENTS = env.int(
    "COUNTERS_BATCH_EVENTS", Conf.COUNTERS_BATCH_EVENTS, validate=positive
)
# Views by the hour are kept for so long, then by the day. The dashboard shows 30 days of them.
COUNTERS_HOURLY_DAYS = env.int(
    "COUNTERS_HOURLY_DAYS", Conf.COUNTERS_HOURLY_DAYS, validate=validate.Range(min=31)
)

# --- Uploads --------------------------------------------------------------------------------------

UPLOADS_MAX_BYTES = env.int("UPLOADS_MAX_BYTES", 100 * 1024**2, validate=positive)
# In a process of the web server, which has 8 threads: slow clients leave one to readers.
UPLOADS_AT_ONCE = env.int("UPLOADS_AT_ONCE", 7, validate=positive)
UPLOADS_REFUSED: list[str] = env.list(
    "UPLOADS_REFUSED",
    ["executable", "html", "svg"],
    validate=validate.ContainsOnly(["executable", "html", "svg"]),
)
UPLOADS_ATTEMPTS = env.int("UPLOADS_ATTEMPTS", 5, validate=positive)
UPLOADS_LEASE_SECONDS = env.float("UPLOADS_LEASE_SECONDS", 15.0, validate=validate.Range(min=1.0))
# What may be spent on one file.
UPLOADS_MEMORY_BYTES = env.int(
    "UPLOADS_MEMORY_BYTES", 512 * 1024**2, validate=validate.Range(min=256 * 1024**2)
)
UPLOADS_CPU_SECONDS = env.int("UPLOADS_CPU_SECONDS", 30, validate=positive)
UPLOADS_SECONDS = env.float("UPLOADS_SECONDS", 60.0, validate=validate.Range(min=0.1))


def storage() -> dict[str, Any]:
    """Return where files are kept: in `MEDIA_ROOT`, or in the bucket that `S3_BUCKET` names."""
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
        "querystring_expire": 600,  # seconds that the address of a download is good for
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


STORAGES = {
    "default": storage(),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# What a page may load and do: its own files, nothing inline. Previews come from the bucket, too.
BUCKET = ["https://*.amazonaws.com"] if env.str("S3_BUCKET", "") else []
if BUCKET and (found := urlsplit(env.str("S3_ENDPOINT_URL", ""))).netloc:
    BUCKET = [f"{found.scheme}://{found.netloc}", f"{found.scheme}://*.{found.netloc}"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:", *BUCKET],
        "media-src": ["'self'", *BUCKET],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- Mail -----------------------------------------------------------------------------------------


def mail() -> dict[str, Any]:
    """Return Django's EMAIL_* settings, from `EMAIL_URL`: `smtp://user:password@host:587/?tls=1`."""
    found: dict[str, Any] = env.dj_email_url("EMAIL_URL", "console:")
    if "EMAIL_BACKEND" not in found:
        raise EnvError('Environment variable "EMAIL_URL" invalid: no such scheme.')
    return found | {"EMAIL_TIMEOUT": found["EMAIL_TIMEOUT"] or 10}  # seconds


globals().update(mail())
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Footfall <footfall@localhost>")
# What the links in mails begin with: a worker knows of no request, and a request's Host is hearsay.
SITE_URL = env.str("SITE_URL", "http://localhost:8000").rstrip("/")

# --- Celery ---------------------------------------------------------------------------------------


def broker_url() -> str:
    """Return `CELERY_BROKER_URL`, as Celery wants it."""
    url = redis_server("CELERY_BROKER_URL")
    if url.startswith("unix://"):  # Celery's name for a Redis behind a unix socket
        path, _, query = url.removeprefix("unix://").partition("?")
        return f"redis+socket://{path}?virtual_host={query.removeprefix('db=') or 0}"
    return url


CELERY_BROKER_URL = broker_url()
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # it comes back, sooner or later
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    # Of who sends a task: by default a request would wait for 6 seconds while the broker is away.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = TIME_ZONE
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "project.beat:OneOfMany"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5  # seconds until an edited schedule or a jumped clock is noticed
CELERY_BEAT_SYNC_EVERY = 5  # ticks between two writes of `last_run_at`, which tells that beat lives

# --- Logs -----------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "project.logs.Line", "format": "%(levelname)-7s %(name)s: %(message)s"},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s %(process)d",
            "rename_fields": {"asctime": "at", "levelname": "level", "name": "logger"},
        },
    },
    "filters": {
        "store_away": {"()": "project.logs.StoreAway"},
        "of_request": {"()": "project.identity.OfRequest"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": env.str("LOG_FORMAT", "text", validate=validate.OneOf(["text", "json"])),
            "filters": ["store_away", "of_request"],
        }
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "INFO")},
    "loggers": {
        "celery": {"level": "WARNING"},
        "django_celery_beat": {"level": "WARNING"},
        "django": {"level": "INFO", "handlers": []},  # else every line is written twice
        "django.server": {"level": "INFO", "handlers": [], "propagate": True},
    },
}
