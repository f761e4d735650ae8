"""Every setting of the service. An invalid variable ends the start with an error that names it."""

import sys
from datetime import timedelta
from pathlib import Path

from environs import validate

from footfall.conf import Conf
from footfall.schedule import BEAT_SCHEDULE
from project import published_secrets, static_files
from project.backends import (
    REDIS_URL,
    broker,
    bucket_origins,
    cache,
    database,
    mail_server,
    replica,
    storage,
)
from project.environment import DATA_DIR, ROOT, check_origins, counters_setting, env, positive

BASE_DIR: Path = ROOT

# --- Security -------------------------------------------------------------------------------------

DEBUG = env.bool("DJANGO_DEBUG", False)
SECRET_KEY = env.str("DJANGO_SECRET_KEY", validate=validate.Length(min=32))
if not DEBUG:
    published_secrets.refuse()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
# Whose scripts may read the API: origins such as https://www.example.com, or * for all. Browsers
# send no cookies with their requests, so they act for no user who is signed in.
CORS_ALLOWED_ORIGINS: list[str] = env.list("CORS_ALLOWED_ORIGINS", [], validate=check_origins)
CORS_ALLOW_ALL_ORIGINS = CORS_ALLOWED_ORIGINS == ["*"]
if CORS_ALLOW_ALL_ORIGINS:
    CORS_ALLOWED_ORIGINS = []
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS = ["accept", "authorization", "content-type", "idempotency-key", "if-match"]
CORS_EXPOSE_HEADERS = ["ETag", "Location", "Retry-After", "X-Request-ID"]

# Off where clients speak plain HTTP to the service, as on one's own machine.
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
    "project.admin_site.Config",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "corsheaders",
    "django_celery_beat",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework.authtoken",
    "django_filters",
    "django_htmx",
    "django_pg_migration_tools",  # `migrate_with_timeouts`, for compose/roll
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
    "api.cors.Cors",  # before whatever responds, so that scripts can read each refusal
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
    "project.middleware.read_replica.ReadReplica",
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
# A new account, or a new address, is valid once its user has followed the link in a mail.
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

LOGIN_URL, LOGIN_REDIRECT_URL = "rest_framework:login", "front"

LANGUAGE_CODE = env.str("LANGUAGE_CODE", "en")
LANGUAGES = [("en", "English"), ("ru", "Русский")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.str("TIME_ZONE", "UTC")
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "project" / "static"]
WHITENOISE_ADD_HEADERS_FUNCTION = static_files.add_headers
WHITENOISE_USE_FINDERS = True  # files are served from the packages, without collectstatic

MEDIA_ROOT = Path(env.str("MEDIA_ROOT", str(DATA_DIR / "media")))

RATE = r"[1-9]\d{0,8}/(s|sec|second|m|min|minute|h|hour|d|day)\Z"
# Proxies in front of the service that append to X-Forwarded-For; with 0 it is ignored.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", 0, validate=validate.Range(min=0))
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # The first one gives a 401 its WWW-Authenticate; without that, DRF answers 403.
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
        *(["accounts.basic.BasicAuthentication"] if env.bool("API_BASIC_AUTH", False) else []),
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticatedOrReadOnly"],
    "DEFAULT_PARSER_CLASSES": [
        "api.parsing.ShallowJSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "api.renderers.BrowsableAPI",
    ],
    "DEFAULT_PAGINATION_CLASS": "api.pagination.Pagination",
    "DEFAULT_THROTTLE_CLASSES": [
        "api.throttling.WriteThrottle"
    ],  # for views without throttle_classes
    "DEFAULT_THROTTLE_RATES": {
        scope: env.str(f"THROTTLE_{scope.upper()}", rate, validate=validate.Regexp(RATE))
        for scope, rate in {
            "upload": "600/min",
            "views": "3000/min",
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
    "NUM_PROXIES": TRUSTED_PROXIES,
    "EXCEPTION_HANDLER": "project.errors.responses.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "api.openapi_responses.Schema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Footfall",
    "DESCRIPTION": "Event-sourced view counting for Django, with batched flushes.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Deep links would be links inside of buttons, which screen readers cannot tell apart.
    "SWAGGER_UI_SETTINGS": {"deepLinking": False},
}

# --- Stores ---------------------------------------------------------------------------------------

DATABASES = {"default": database(), **replica()}
if "replica" in DATABASES:
    DATABASE_ROUTERS = ["project.databases.replica.Router"]
# Beyond it, and while it is away, the primary is asked.
DATABASE_REPLICA_MAX_LAG_SECONDS = env.float(
    "DATABASE_REPLICA_MAX_LAG_SECONDS", 5.0, validate=validate.Range(min=0.0)
)
# How long the web server waits for the database: see `project/databases/db_timeout.py`.
DATABASE_TIMEOUT_SECONDS = env.float(
    "DATABASE_TIMEOUT_SECONDS", 1.0, validate=validate.Range(min=0.1)
)
SILENCED_SYSTEM_CHECKS: list[str] = []
if DATABASES["default"]["ENGINE"] == "project.databases.mysql":
    # MySQL has no partial indexes, and MariaDB none on expressions. A migration replaces them.
    SILENCED_SYSTEM_CHECKS = ["models.W037", "models.W044"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "KEY_PREFIX": "footfall-cache",
        **cache({"socket_timeout": 1, "socket_connect_timeout": 1, "retry": None}),
    },
}

# By default the cache has the server of the log. Its keys have a prefix, and nothing clears it.
SILENCED_SYSTEM_CHECKS = [*SILENCED_SYSTEM_CHECKS, "counters.W002"]

# --- Counting -------------------------------------------------------------------------------------

# Types, defaults and bounds are in `footfall/conf.py`.
COUNTERS_LOG_URL = REDIS_URL
COUNTERS_LOG_PREFIX = counters_setting(Conf.COUNTERS_LOG_PREFIX)
COUNTERS_PARTITIONS = counters_setting(Conf.COUNTERS_PARTITIONS)
COUNTERS_LOG_MAX_BYTES = counters_setting(Conf.COUNTERS_LOG_MAX_BYTES)
COUNTERS_LOG_RETENTION_SECONDS = counters_setting(Conf.COUNTERS_LOG_RETENTION_SECONDS)
COUNTERS_LOG_RETENTION_BYTES = counters_setting(Conf.COUNTERS_LOG_RETENTION_BYTES)
COUNTERS_LOG_TIMEOUT_SECONDS = counters_setting(Conf.COUNTERS_LOG_TIMEOUT_SECONDS)
COUNTERS_WAIT_REPLICAS = counters_setting(Conf.COUNTERS_WAIT_REPLICAS)
COUNTERS_CACHE_SECONDS = counters_setting(Conf.COUNTERS_CACHE_SECONDS)
COUNTERS_CACHE_MAX_BYTES = counters_setting(Conf.COUNTERS_CACHE_MAX_BYTES)
COUNTERS_BATCH_BYTES = counters_setting(Conf.COUNTERS_BATCH_BYTES)
COUNTERS_BATCH_EVENTS = counters_setting(Conf.COUNTERS_BATCH_EVENTS)
COUNTERS_HOURLY_DAYS = counters_setting(Conf.COUNTERS_HOURLY_DAYS)
COUNTERS_KEEP_DAYS = counters_setting(Conf.COUNTERS_KEEP_DAYS)
COUNTERS_STORE_MAX_BYTES = counters_setting(Conf.COUNTERS_STORE_MAX_BYTES)
COUNTERS_VISITORS = counters_setting(Conf.COUNTERS_VISITORS)
COUNTERS_VISITOR_DAYS = counters_setting(Conf.COUNTERS_VISITOR_DAYS)
COUNTERS_VISITORS_INTERVAL_SECONDS = counters_setting(Conf.COUNTERS_VISITORS_INTERVAL_SECONDS)
COUNTERS_HONOUR_DNT = counters_setting(Conf.COUNTERS_HONOUR_DNT)
COUNTERS_AGENTS_PER_DAY = counters_setting(Conf.COUNTERS_AGENTS_PER_DAY)
COUNTERS_PROXIES = env.int("COUNTERS_PROXIES", TRUSTED_PROXIES, validate=validate.Range(min=0))

# --- Uploads --------------------------------------------------------------------------------------

UPLOADS_MAX_BYTES = env.int("UPLOADS_MAX_BYTES", 100 * 1024**2, validate=positive)
# Bodies received at a time by a process of the web server. Of its 16 threads, these and
# DOWNLOADS_AT_ONCE leave three.
UPLOADS_AT_ONCE = env.int("UPLOADS_AT_ONCE", 7, validate=positive)
UPLOADS_REFUSED: list[str] = env.list(
    "UPLOADS_REFUSED",
    ["executable", "html", "svg"],
    validate=validate.ContainsOnly(["executable", "html", "svg"]),
)
UPLOADS_ATTEMPTS = env.int("UPLOADS_ATTEMPTS", 5, validate=positive)
UPLOADS_LEASE_SECONDS = env.float("UPLOADS_LEASE_SECONDS", 15.0, validate=validate.Range(min=1.0))
# How long a thread processes a file that must not keep others waiting: see processing/turns.py.
UPLOADS_SHORT_SECONDS = env.float(
    "UPLOADS_SHORT_SECONDS", 3.0, validate=validate.Range(min=0.5, max=60.0)
)
# For how many days files of no account are kept; 0: for good. And in the trash, what is deleted.
UPLOADS_ANONYMOUS_DAYS = env.int("UPLOADS_ANONYMOUS_DAYS", 7, validate=validate.Range(min=0))
UPLOADS_TRASH_DAYS = env.int("UPLOADS_TRASH_DAYS", 7, validate=validate.Range(min=0))
# What one client, and all together, may store. 0: no limit.
UPLOADS_CLIENT_FILES = env.int("UPLOADS_CLIENT_FILES", 50_000, validate=validate.Range(min=0))
UPLOADS_CLIENT_BYTES = env.int("UPLOADS_CLIENT_BYTES", 20 * 1024**3, validate=validate.Range(min=0))
UPLOADS_TOTAL_BYTES = env.int("UPLOADS_TOTAL_BYTES", 0, validate=validate.Range(min=0))
# So much stays free on the disk that receives the files. 0: they are received until it is full.
UPLOADS_MIN_FREE_BYTES = env.int(
    "UPLOADS_MIN_FREE_BYTES", 512 * 1024**2, validate=validate.Range(min=0)
)
# Limits for the processing of one file.
UPLOADS_MEMORY_BYTES = env.int(
    "UPLOADS_MEMORY_BYTES", 512 * 1024**2, validate=validate.Range(min=256 * 1024**2)
)
UPLOADS_CPU_SECONDS = env.int("UPLOADS_CPU_SECONDS", 30, validate=positive)
UPLOADS_SECONDS = env.float("UPLOADS_SECONDS", 60.0, validate=validate.Range(min=0.1))

# --- Downloads ------------------------------------------------------------------------------------

# Answers of more than 128 kB that a process of the web server sends at a time.
DOWNLOADS_AT_ONCE = env.int("DOWNLOADS_AT_ONCE", 6, validate=positive)
# Where nginx sends the files (`X-Accel-Redirect`): the prefix of their paths in MEDIA_ROOT.
DOWNLOADS_ACCEL_PREFIX = env.str("DOWNLOADS_ACCEL_PREFIX", "")
# A client that reads an answer more slowly than this, over so many seconds in which data waits for
# it, is disconnected. A phone with a bad signal reads 5 kB/s and more.
SLOW_CLIENT_BYTES_PER_SECOND = env.int("SLOW_CLIENT_BYTES_PER_SECOND", 4096, validate=positive)
SLOW_CLIENT_SECONDS = env.float("SLOW_CLIENT_SECONDS", 20.0, validate=validate.Range(min=1.0))

STORAGES = {
    "default": storage(),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# A page may load files of this origin, nothing inline, and previews from the bucket.
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

mail = mail_server()
EMAIL_BACKEND = mail["EMAIL_BACKEND"]
EMAIL_HOST = mail["EMAIL_HOST"]
EMAIL_PORT = mail["EMAIL_PORT"]
EMAIL_HOST_USER = mail["EMAIL_HOST_USER"]
EMAIL_HOST_PASSWORD = mail["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS = mail["EMAIL_USE_TLS"]
EMAIL_USE_SSL = mail["EMAIL_USE_SSL"]
EMAIL_FILE_PATH = mail["EMAIL_FILE_PATH"]
EMAIL_TIMEOUT = mail["EMAIL_TIMEOUT"] or 10  # seconds
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Footfall <footfall@localhost>")
# Links in mails begin with it: a worker has no request, and a client may send any Host.
SITE_URL = env.str("SITE_URL", "http://localhost:8000").rstrip("/")

# --- Celery ---------------------------------------------------------------------------------------

queue = broker()
CELERY_BROKER_URL = queue.url
CELERY_BROKER_USE_SSL = queue.ssl
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker without limit
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    # For sending a task: by default a request waits for 6 seconds while the broker is away.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    **queue.options,
}
CELERY_TASK_IGNORE_RESULT = True
# Tasks for which a connection to the database is kept: see project.celery.check_connections.
CELERY_DB_REUSE_MAX = sys.maxsize
CELERY_TIMEZONE = TIME_ZONE
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "project.beat_scheduler:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5  # seconds until beat notices an edited schedule or a clock change
CELERY_BEAT_SYNC_EVERY = 5  # ticks between two writes of `last_run_at`, which shows that beat runs
# Beat adds the entries that the database does not have. Operators edit them in the admin.
CELERY_BEAT_SCHEDULE = {
    **BEAT_SCHEDULE,
    "Process the uploads": {
        "task": "uploads.process",
        "schedule": timedelta(seconds=1),
        "options": {"queue": "uploads"},
    },
    "Compare stored files with their rows": {
        "task": "uploads.compare",
        "schedule": timedelta(hours=1),
    },
    "Send the welcome mails that are due (welcome_due)": {
        "task": "accounts.welcome_due",
        "schedule": timedelta(seconds=10),
    },
    "Remove expired sessions (clear_sessions)": {
        "task": "accounts.clear_sessions",
        "schedule": timedelta(days=1),
    },
    "Restart generation jobs that stand still (sweep)": {
        "task": "films.sweep",
        "schedule": timedelta(seconds=15),
    },
}

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
        "django": {"level": "INFO", "handlers": []},  # its own handler would write every line twice
        "django.server": {"level": "INFO", "handlers": [], "propagate": True},
    },
}
