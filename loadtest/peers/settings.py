"""Settings of the peers: the same for each, but for the app that `PEER` names."""

import os
from urllib.parse import unquote, urlsplit

PEER = os.environ["PEER"]

DEBUG = False
SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "loadtest.peers.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# What Django's own template of a project has. `constant` has what a read of a page has in Footfall.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
if PEER == "constant":
    MIDDLEWARE = os.environ["BENCH_MIDDLEWARE"].split()

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "rest_framework",
    "hitcount",
    "loadtest.peers.pages",
    f"loadtest.peers.{PEER}",
]

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}

database = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": unquote((database.netloc.rpartition("@")[2]).partition(":")[0]),
        "PORT": database.port,
        "NAME": database.path.removeprefix("/"),
        "USER": database.username,
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
    }
}

REDIS_URL = os.environ["REDIS_URL"]
path, _, query = REDIS_URL.removeprefix("unix://").partition("?")
CELERY_BROKER_URL = f"redis+socket://{path}?virtual_host={query.removeprefix('db=')}"
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE = (
    {"flush": {"task": "buffer.flush", "schedule": 1.0, "options": {"expires": 2}}}
    if PEER == "buffer"
    else {}
)
if PEER == "batches":
    # Its documentation asks for a prefetch of nothing (no limit), or of more than a batch.
    CELERY_WORKER_PREFETCH_MULTIPLIER = 0
