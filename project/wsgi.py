"""The WSGI application that granian serves: the short way to a page, then Django."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

django = get_wsgi_application()

from api.encodings import Readable  # noqa: E402  # once Django is set up
from catalog.pages.shortcut import Shortcut  # noqa: E402
from project import connections, deadline  # noqa: E402  # they read the settings
from project.headers import Bounded  # noqa: E402
from project.identity import Identified  # noqa: E402

django.request_class = Readable
connections.install()
deadline.install()
application = Identified(Shortcut(Bounded(django)))
