import pytest

from footfall.projections import run
from footfall.projections.run import Delays
from tests.support.pages import make_text


@pytest.fixture(autouse=True)
def nothing_is_delayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A projection that has failed in the test before is tried at once."""
    monkeypatch.setattr(run, "delays", Delays())


@pytest.fixture
def ids(db: None) -> list[int]:
    """The ids of three contents."""
    return sorted(make_text().pk for _ in range(3))
