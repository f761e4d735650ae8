"""Under ASGI a view gives the same event, and holds up no other request."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.http import HttpResponse, HttpResponseBase
from django.template import TemplateDoesNotExist, engines
from django.template.response import TemplateResponse
from django.test import AsyncClient, AsyncRequestFactory, RequestFactory
from django.urls import path
from django.views import View
from pytest_django import Settings

from catalog.pages.models import Content, Page
from footfall.eventlog import Entry, Log
from footfall.events.keys import Life, make_key
from footfall.flush import flush
from footfall.log import get_log
from footfall.models import Spilled
from footfall.policies import Exclude
from footfall.record import Unacknowledged, arecord, record
from footfall.registry import counter_field
from footfall.testing import aflush, arecorded, recorded
from footfall.web.views import AsyncCountedViewMixin
from tests.support import databases
from tests.support.agents import BROWSER
from tests.support.proxy import Fault, Proxy
from tests.support.views import AT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("real_delay")]


def entries(log: Log) -> list[Entry]:
    return [entry for p in (0, 1) for entry in log.read(p, None, 1_000_000, 2**40).entries]


def in_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run it as Django's asynchronous tests are run: its database is this thread's."""

    async def run() -> Any:
        return await coroutine

    return async_to_sync(run)()


def test_both_ways_give_the_same_events(page: Page, contents: list[Content]) -> None:
    request = RequestFactory().get("/", headers={"user-agent": BROWSER})
    key = make_key(Life.DAY, "a test")
    for options in (
        {},
        {"contents": Content.objects.filter(placements__page=page)},
        {"contents": contents, "request": request},
        {"request": request, "key": key},
        {"key": key, "request": request.META},
    ):
        record(page, at=AT, **options)
        in_loop(arecord(page, at=AT, **options))

    found = entries(get_log())

    assert len(found) == 10
    for one, other in zip(found[::2], found[1::2], strict=True):
        assert (one.body, one.at, one.meta) == (other.body, other.at, other.meta)


def test_both_leave_out_the_same_users(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter_field(Page), "exclude", Exclude(staff=True))
    request = RequestFactory().get("/")
    request.user = get_user_model()(pk=1, is_staff=True)

    in_loop(arecord(page, request=request))

    assert recorded() == []


def test_both_raise_the_same(settings: Settings, page: Page) -> None:
    with pytest.raises(ValueError, match="save it first"):
        in_loop(arecord(Page()))
    with pytest.raises(TypeError, match="not countable"):
        in_loop(arecord(get_user_model()(pk=1)))


def test_while_redis_is_away_a_view_is_spilled(settings: Settings, page: Page) -> None:
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"

    in_loop(arecord(page))

    assert Spilled.objects.count() == 1
    flush()
    page.refresh_from_db()
    assert page.counter == 1


@pytest.mark.django_db(transaction=True)
def test_with_both_stores_away_the_view_is_not_acknowledged(
    settings: Settings, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"
    databases.take_away(monkeypatch)

    with pytest.raises(Unacknowledged):
        in_loop(arecord(page))

    monkeypatch.undo()


def test_the_loop_goes_on_while_redis_does_not_answer(
    settings: Settings, page: Page, proxy: Proxy
) -> None:
    settings.COUNTERS_LOG_TIMEOUT_SECONDS = 0.3
    record(page)
    proxy.fault = Fault.SWALLOW

    async def others_meanwhile() -> int:
        waiting = asyncio.create_task(arecord(page))
        steps = 0
        while not waiting.done():
            await asyncio.sleep(0.001)
            steps += 1
        await waiting
        return steps

    assert in_loop(others_meanwhile()) > 5
    assert Spilled.objects.count() == 1


def test_of_cancelled_requests_nothing_that_was_answered_is_lost(page: Page, log: Log) -> None:
    async def requests() -> int:
        tasks = [asyncio.create_task(arecord(page)) for _ in range(60)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks[1::2]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(one) for one in done} <= {type(None), asyncio.CancelledError}
        return sum(one is None for one in done)

    answered = in_loop(requests())

    flush()
    page.refresh_from_db()
    assert 30 <= answered <= page.counter <= 60


def test_asynchronous_tests_see_and_count_what_was_recorded(page: Page) -> None:
    async def test() -> tuple[object, int]:
        await arecord(page)
        return await arecorded(), await aflush()

    assert in_loop(test()) == ([{"pages.page": [page.pk]}], 1)
    page.refresh_from_db()
    assert page.counter == 1


class Plain(View):
    """Answers with a text or a template."""

    async def get(self, request: Any, pk: int, how: str) -> HttpResponseBase:
        self.object = await Page.objects.aget(pk=pk)
        if how == "text":
            return HttpResponse(self.object.title)
        text = "{{ title }}" if how == "template" else "{% include 'no-such.html' %}"
        template = engines["django"].from_string(text)
        return TemplateResponse(request, template, {"title": self.object.title})


class Counted(AsyncCountedViewMixin, Plain):
    def get_viewed(self) -> Any:
        return Content.objects.filter(placements__page=self.object)


class Urls:
    urlpatterns = (path("<int:pk>/<str:how>/", Counted.as_view()),)


def test_an_asynchronous_view_is_counted(
    settings: Settings, page: Page, contents: list[Content]
) -> None:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = Urls, []
    client = AsyncClient()

    async def read() -> list[int]:
        addresses = [f"/{page.pk}/{how}/" for how in ("text", "template")]
        answers = [await client.get(one) for one in addresses]
        return [one.status_code for one in (*answers, await client.head(addresses[0]))]

    assert in_loop(read()) == [200, 200, 200]  # the last is a HEAD
    view: Any = Counted.as_view()
    broken = in_loop(view(AsyncRequestFactory().get("/"), pk=page.pk, how="broken"))
    with pytest.raises(TemplateDoesNotExist):
        broken.render()

    ids = sorted(one.pk for one in contents)
    assert recorded() == [{"pages.content": ids, "pages.page": [page.pk]}] * 2
