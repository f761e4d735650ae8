import os

from django.core.wsgi import get_wsgi_application

from loadtest.peers.celery import app  # noqa: F401  # the one that `shared_task` sends to

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loadtest.peers.settings")

application = get_wsgi_application()
