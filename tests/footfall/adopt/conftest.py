from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from tests.support import hitcount

Counters = Callable[..., str]


@pytest.fixture(scope="package")
def hitcount_tables(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """MySQL would commit a test that creates a table."""
    with django_db_blocker.unblock():
        hitcount.create_tables()
    yield
    with django_db_blocker.unblock():
        hitcount.drop_tables()


@pytest.fixture
def run() -> Counters:
    """Runs `manage.py counters ...`; returns what it says."""

    def run(*options: str) -> str:
        out = StringIO()
        call_command("counters", *options, stdout=out, stderr=StringIO())
        return out.getvalue()

    return run
