"""The WSGI application that granian serves: the short way to a page, then Django."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

django = get_wsgi_application()

from catalog.pages.shortcut import Shortcut  # noqa: E402  # once Django is set up

application = Shortcut(django)
