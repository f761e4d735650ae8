import pytest
from django.test import Client

from tests.catalog.pages.reading import Reader


@pytest.fixture
def client() -> Client:
    """Reads through the WSGI application, like a web server."""
    return Reader()
