"""Every setting of Footfall. A variable that is wrong ends the start with an error naming it."""

from pathlib import Path
from typing import Any

from environs import validate
from environs.exceptions import EnvError

from footfall.conf import Conf
from project import published_secrets
from project.environment import DATA_DIR, env, positive
from project.stores import REDIS_URL, broker_url, bucket_origins, database, redis_server, storage
from standalone.configuration import MEDIA, ROOT

BASE_DIR: Path = ROOT

# --- Security -------------------------------------------------------------------------------------

DEBUG = env.bool("DJANGO_DEBUG", False)
SECRET_KEY = env.str("DJANGO_SECRET_KEY", validate=validate.Length(min=32))
if not DEBUG:
    published_secrets.refuse()
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
DEFAULT_EXCEPTION_REPORTER = "project.errors.debug_reports.Reporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "project.errors.debug_reports.Filter"

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
    "footfall",
    "catalog.pages",
    "catalog.books",
    "catalog.films",
    "uploads",
]

MIDDLEWARE = [  # cached pages bypass it: catalog/pages/fast_path.py
    "project.middleware.allowed_hosts.AllowedHosts",
    "django.middleware.security.SecurityMiddleware",
    "project.middleware.concurrent_stream_limit.ConcurrentStreamLimit",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "project.middleware.csp.HTMLOnlyCSPMiddleware",
    "project.middleware.concurrent_body_limit.ConcurrentBodyLimit",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "project.middleware.audit_log.AuditLog",
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
# A new account, or another address, is there once the link in a mail was followed.
ACCOUNTS_CONFIRM_EMAIL = env.bool("ACCOUNTS_CONFIRM_EMAIL", False)
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

MEDIA_ROOT = Path(env.str("MEDIA_ROOT", str(DATA_DIR / MEDIA)))

RATE = r"[1-9]\d{0,8}/(s|sec|second|m|min|minute|h|hour|d|day)\Z"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # The first one names the scheme of a 401: without it a stranger would get 403.
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticatedOrReadOnly"],
    "DEFAULT_PARSER_CLASSES": [
        "api.parsing.ShallowJSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "api.pagination.Pagination",
    "DEFAULT_THROTTLE_CLASSES": ["api.throttling.WriteThrottle"],  # the default
    "DEFAULT_THROTTLE_RATES": {
        scope: env.str(f"THROTTLE_{scope.upper()}", rate, validate=validate.Regexp(RATE))
        for scope, rate in {
            "upload": "600/min",
            "register": "60/min",
            "login": "60/min",
            "login_account": "10/min",
            "reset": "20/min",
            "reset_account": "5/hour",
            "generate": "60/min",
            "write": "300/min",
            "mail": "60/hour",
            "mail_address": "3/day",
        }.items()
    },
    # So many proxies stand before the service and append to X-Forwarded-For; 0: it is not believed.
    "NUM_PROXIES": env.int("TRUSTED_PROXIES", 0, validate=validate.Range(min=0)),
    "EXCEPTION_HANDLER": "project.errors.responses.exception_handler",
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

DATABASES = {"default": database()}
# How long it may say nothing to the web server: see `project/databases/db_timeout.py`.
DATABASE_TIMEOUT_SECONDS = env.float(
    "DATABASE_TIMEOUT_SECONDS", 1.0, validate=validate.Range(min=0.1)
)
if DATABASES["default"]["ENGINE"] == "project.databases.mysql":
    # It has no index of some rows only, and MariaDB none on an expression: a migration makes up.
    SILENCED_SYSTEM_CHECKS = ["models.W037", "models.W044"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": redis_server("CACHE_URL"),
        "KEY_PREFIX": "footfall-cache",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1, "retry": None},
    },
}

# --- Counting -------------------------------------------------------------------------------------

# `footfall/conf.py` says what each of these is for, and has the defaults.
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
PREPARED_SECONDS = env.float(
    "PREPARED_SECONDS", Conf.PREPARED_SECONDS, validate=validate.Range(min=1.0)
)
PREPARED_MAX_BYTES = env.int("PREPARED_MAX_BYTES", Conf.PREPARED_MAX_BYTES, validate=positive)
COUNTERS_BATCH_BYTES = env.int("COUNTERS_BATCH_BYTES", Conf.COUNTERS_BATCH_BYTES, validate=positive)
COUNTERS_BATCH_EVENTS = env.int(
    "COUNTERS_BATCH_EVENTS", Conf.COUNTERS_BATCH_EVENTS, validate=positive
)
COUNTERS_HOURLY_DAYS = env.int(
    "COUNTERS_HOURLY_DAYS", Conf.COUNTERS_HOURLY_DAYS, validate=validate.Range(min=31)
)

# --- Uploads --------------------------------------------------------------------------------------

UPLOADS_MAX_BYTES = env.int("UPLOADS_MAX_BYTES", 100 * 1024**2, validate=positive)
# In a process of the web server. It has 16 threads: slow senders and slow readers leave three.
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

# --- Downloads ------------------------------------------------------------------------------------

# Answers of more than 128 kB that a process of the web server streams at a time.
DOWNLOADS_AT_ONCE = env.int("DOWNLOADS_AT_ONCE", 6, validate=positive)
# Before the path of a file in MEDIA_ROOT, where a proxy takes over: `X-Accel-Redirect` of nginx.
DOWNLOADS_ACCEL_PREFIX = env.str("DOWNLOADS_ACCEL_PREFIX", "")
# A client that takes less of any answer, over so many seconds in which data waits for it, is cut
# off. A phone with a bad signal has 5 kB/s and more; with less, it does better to connect again.
SLOW_CLIENT_BYTES_PER_SECOND = env.int("SLOW_CLIENT_BYTES_PER_SECOND", 4096, validate=positive)
SLOW_CLIENT_SECONDS = env.float("SLOW_CLIENT_SECONDS", 20.0, validate=validate.Range(min=1.0))

STORAGES = {
    "default": storage(),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# What a page may load and do: its own files, nothing inline. Previews come from the bucket, too.
BUCKET = bucket_origins()
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
# What the links in mails begin with: a worker knows no request, and a Host is what a client says.
SITE_URL = env.str("SITE_URL", "http://localhost:8000").rstrip("/")

# --- Celery ---------------------------------------------------------------------------------------

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
        "text": {
            "()": "project.errors.logs.SafeFormatter",
            "format": "%(levelname)-7s %(name)s: %(message)s",
        },
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s %(process)d",
            "rename_fields": {"asctime": "at", "levelname": "level", "name": "logger"},
        },
    },
    "filters": {
        "unavailable": {"()": "project.errors.logs.UnavailableFilter"},
        "request_id": {"()": "project.middleware.request_id.RequestIdFilter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": env.str("LOG_FORMAT", "text", validate=validate.OneOf(["text", "json"])),
            "filters": ["unavailable", "request_id"],
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
