import os
from collections.abc import Callable, Iterator

import pytest
from django.apps import apps
from django.test import override_settings
from pytest_django import Settings

from catalog.pages.models import Content, Page, PageContent, Text
from footfall import verdicts, worker
from footfall.cache import publish
from footfall.eventlog import RedisLog
from footfall.log import get_log
from footfall.ops import workers
from footfall.ops.workers import Workers
from footfall.projections import run
from footfall.projections.run import Delays
from footfall.registry import forget_models
from tests.support import databases
from tests.support.pages import make_text
from tests.support.views import Answering


@pytest.fixture(scope="package", autouse=True)
def small_log() -> Iterator[None]:
    """Logs have two partitions."""
    with override_settings(COUNTERS_PARTITIONS=2, COUNTERS_LOG_RETENTION_SECONDS=600):
        yield


@pytest.fixture(autouse=True)
def logs_apart(small_log: None, settings: Settings, prefix: str) -> None:
    """The service's log has a name of the test's own."""
    settings.COUNTERS_LOG_PREFIX = prefix
    publish.locations.cache_clear()


@pytest.fixture
def log(logs_apart: None) -> RedisLog:
    """The service's log."""
    found = get_log()
    assert isinstance(found, RedisLog)
    return found


@pytest.fixture
def all_models() -> None:
    """For tests of other countable models than pages and contents: see `few_models`."""


@pytest.fixture(autouse=True)
def few_models(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pages and contents are countable, and no other model: a flush and an audit ask about each."""
    if "all_models" in request.fixturenames:
        yield
        return
    with monkeypatch.context() as patch:
        few = list(apps.get_app_config("pages").get_models())
        patch.setattr("footfall.registry.all_models", lambda: few)
        forget_models()
        yield
    forget_models()


@pytest.fixture(autouse=True)
def verdicts_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process knows no agent of the test before."""
    monkeypatch.setattr(verdicts, "_current", verdicts.Verdicts(0))


@pytest.fixture(autouse=True)
def nothing_is_delayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A projection that has failed in the test before is tried at once."""
    monkeypatch.setattr(run, "delays", Delays())


@pytest.fixture
def ids(db: None) -> list[int]:
    """The ids of three contents."""
    return sorted(make_text().pk for _ in range(3))


@pytest.fixture
def real_delay() -> None:
    """For tests of the time of a view: see `delay`."""


@pytest.fixture(autouse=True)
def delay(request: pytest.FixtureRequest) -> None:
    """Views of the tests happened in the year of `AT`."""
    if "real_delay" not in request.fixturenames:
        request.getfixturevalue("any_delay")


@pytest.fixture(autouse=True)
def projections_end() -> Iterator[None]:
    """End the thread of the projections, if the test has started it, and so its connection."""
    yield
    worker.stop_projections(10)


@pytest.fixture
def page(db: None) -> Page:
    """A page of three texts."""
    page = Page.objects.create(title="A page")
    for position in range(3):
        text = Text.objects.create(title=f"Text {position}", text="...")
        PageContent.objects.create(page=page, content=text, position=position)
    return page


@pytest.fixture
def contents(page: Page) -> list[Content]:
    return list(Content.objects.filter(placements__page=page).order_by("placements__position"))


@pytest.fixture
def counts(contents: list[Content]) -> Callable[[], list[int]]:
    """Returns the counters of the page's contents that still exist, in their order."""
    keys = [content.pk for content in contents]
    ours = Content.objects.filter(pk__in=keys).order_by("pk")
    return lambda: list(ours.values_list("counter", flat=True))


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Answering:
    """Decides which workers answer the dashboard; test_workers.py asks real ones."""

    def answer(found: Workers) -> None:
        monkeypatch.setattr(workers.inspector, "workers", lambda **options: found)

    return answer


@pytest.fixture
def environment(prefix: str, db: None) -> dict[str, str]:
    """The environment of a process that works on the test's database and log."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "COUNTERS_LOG_PREFIX": prefix,
        "COUNTERS_PARTITIONS": "2",
        **databases.environment(),
    }
