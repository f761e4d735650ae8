"""The WSGI application that granian serves: the short way to a page, then Django."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

django = get_wsgi_application()

from catalog.pages.shortcut import Shortcut  # noqa: E402  # once Django is set up
from project import deadline  # noqa: E402  # it reads the settings

deadline.install()
application = Shortcut(django)
