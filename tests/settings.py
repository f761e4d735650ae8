"""The service's settings, with changes for the tests."""

from typing import Any

from project.settings import *  # noqa: F403
from project.settings import DATABASES, INSTALLED_APPS, REST_FRAMEWORK

INSTALLED_APPS = [*INSTALLED_APPS, "tests.catalog.pages.quotes"]
COUNTERS_TEST_LOG_URL = ""  # the real log is what these tests are about
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Static files are searched for at a request, not whenever a test creates a client.
WHITENOISE_AUTOREFRESH = True
# By default SQLite is in memory, where no other process can read it.
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["TEST"] = {"NAME": f"{DATABASES['default']['NAME']}-test"}

# Tests send many requests as one client. Tests of a limit set their own.
RATES: Any = REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
RATES.update(dict.fromkeys(("write", "mail", "mail_address")))
