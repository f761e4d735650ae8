from collections.abc import Callable
from datetime import timedelta

import pytest
from pytest_django import Settings

from catalog.pages.models import Content
from footfall.models import Identity
from footfall.policies import Policy
from footfall.reclassify import past
from footfall.recount import counting, rebuild
from footfall.registry import counter_field
from footfall.store import retain

SetPolicy = Callable[[Policy], None]


@pytest.fixture
def counted_by(monkeypatch: pytest.MonkeyPatch) -> SetPolicy:
    """Sets the policy of contents, as a line of their model does."""
    return lambda policy: monkeypatch.setattr(counter_field(Content), "policy", policy)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Everything is done in chunks of one or two, and hours are old."""
    settings.COUNTERS_KEEP_DAYS = 1
    Identity.objects.get_or_create(pk=1)
    Content.objects.all().delete()  # what migrations or other tests have left takes time only
    monkeypatch.setattr("footfall.store.compact.MIN_AGE", timedelta())
    monkeypatch.setattr("footfall.store.compact.GROWTH", 2)
    monkeypatch.setattr(retain, "MAX_EVENTS", 2)
    monkeypatch.setattr(rebuild, "CHUNK_SIZE", 2)
    monkeypatch.setattr("footfall.sql.visits.ROWS_PER_STATEMENT", 2)
    monkeypatch.setattr("footfall.store.visits.MAX_ROWS", 2)
    for module in (counting, past):
        monkeypatch.setattr(module, "CHUNK_EVENTS", 2)
    for module in (rebuild, past):
        monkeypatch.setattr(module, "ALIVE", timedelta())
