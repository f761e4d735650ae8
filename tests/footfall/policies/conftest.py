from collections.abc import Callable

import pytest

from catalog.pages.models import Content
from footfall.policies import Policy
from footfall.projections import run
from footfall.projections.run import Delays
from footfall.registry import counter_field
from tests.support.pages import make_text

SetPolicy = Callable[[Policy], None]


@pytest.fixture(autouse=True)
def nothing_is_delayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A projection that has failed in the test before is tried at once."""
    monkeypatch.setattr(run, "delays", Delays())


@pytest.fixture
def ids(db: None) -> list[int]:
    """The ids of three contents."""
    return sorted(make_text().pk for _ in range(3))


@pytest.fixture
def counted_by(monkeypatch: pytest.MonkeyPatch) -> SetPolicy:
    """Sets the policy of contents, as a line of their model does."""
    return lambda policy: monkeypatch.setattr(counter_field(Content), "policy", policy)
