"""Fixtures for pytest, which the distribution registers. Django is imported when one is used."""

from collections.abc import Callable

import pytest


@pytest.fixture
def count_views(db: None) -> Callable[[], int]:
    """Return a function that counts all views that were recorded: see `footfall.testing.flush`."""
    from footfall.testing import flush

    return flush


@pytest.fixture
def recorded_views(db: None) -> Callable[[], list[dict[str, list[int] | list[str]]]]:
    """Return a function that returns the views that were recorded and not counted yet."""
    from footfall.testing import recorded

    return recorded
