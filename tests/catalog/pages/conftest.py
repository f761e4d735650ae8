import pytest
from django.test import Client

from tests.catalog.pages.reading import Reader


@pytest.fixture
def client() -> Client:
    """Reads as through the web server."""
    return Reader()
