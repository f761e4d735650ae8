"""The WSGI application that granian serves: the fast path to cached pages, then Django."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

django = get_wsgi_application()

# Only now, because these need the settings.
from api.encodings import UTF8Request  # noqa: E402
from catalog.pages.fast_path import FastPath  # noqa: E402
from project import slow_clients  # noqa: E402
from project.databases import db_timeout  # noqa: E402
from project.middleware.header_limit import HeaderLimit  # noqa: E402
from project.middleware.request_id import RequestIdMiddleware  # noqa: E402

django.request_class = UTF8Request
slow_clients.install()
db_timeout.install()
application = RequestIdMiddleware(FastPath(HeaderLimit(django)))
