import pytest

from footfall.admin.charted import ChartedAdminMixin
from project.admin_site import Site


@pytest.fixture(autouse=True)
def own_log(own_log: None) -> None:
    """Every test here gets it."""


@pytest.fixture
def only_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of the admin have neither charts nor the list of all models: they take most time."""
    monkeypatch.setattr(ChartedAdminMixin, "views_chart", lambda *_: "")
    monkeypatch.setattr(Site, "get_app_list", lambda *_: [])
