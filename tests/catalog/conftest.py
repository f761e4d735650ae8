import pytest

from footfall.admin.charted import ChartedAdminMixin
from project.admin_site import Site


@pytest.fixture(autouse=True)
def own_log(own_log: None) -> None:
    """Every test here gets it."""


@pytest.fixture
def only_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """The admin shows no chart and no list of models: these take most of the time of a page."""
    monkeypatch.setattr(ChartedAdminMixin, "views_chart", lambda *_: "")
    monkeypatch.setattr(Site, "get_app_list", lambda *_: [])
