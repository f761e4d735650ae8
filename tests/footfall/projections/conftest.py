import pytest

from footfall.projections import run
from footfall.projections.run import Delays


@pytest.fixture(autouse=True)
def nothing_is_delayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A projection that has failed in the test before is tried at once."""
    monkeypatch.setattr(run, "delays", Delays())
