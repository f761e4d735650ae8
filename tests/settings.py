"""The service's settings, with what only the tests add."""

from typing import Any

from project.settings import *  # noqa: F403
from project.settings import DATABASES, INSTALLED_APPS, REST_FRAMEWORK

INSTALLED_APPS = [*INSTALLED_APPS, "tests.catalog.pages.quotes"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Static files are looked for when they are asked for, and not whenever a test makes a client.
WHITENOISE_AUTOREFRESH = True
# By default a test's SQLite is in memory, where no other process finds it.
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["TEST"] = {"NAME": f"{DATABASES['default']['NAME']}-test"}

# Many requests of one client are what tests are made of; those about a limit set one.
RATES: Any = REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
RATES.update(dict.fromkeys(("write", "mail", "mail_address")))
