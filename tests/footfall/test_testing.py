"""Tests of a project that counts: without Redis, and each by itself."""

from collections.abc import Iterator

import pytest
from django.db import transaction
from django.test import RequestFactory, TestCase
from pytest_django import DjangoAssertNumQueries, Settings

from catalog.pages.models import Content, Page
from footfall import testing
from footfall.eventlog import Away
from footfall.log import get_log, memory_log
from footfall.models import Segment
from footfall.ops.audit.run import differences
from footfall.ops.status import status
from footfall.record import record
from tests.support.views import Counts


@pytest.fixture(autouse=True)
def redis_is_away(request: pytest.FixtureRequest, settings: Settings) -> Iterator[None]:
    """What a project has that says nothing, and whose Redis is away."""
    del settings.COUNTERS_TEST_LOG_URL
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1/0"
    yield
    if request.node.cls is None:  # the others see to it that this is not necessary
        memory_log.clear()


@pytest.mark.django_db
def test_a_test_sees_what_it_has_recorded_and_counted(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    request = RequestFactory().get("/", headers={"user-agent": "Mozilla/5.0"})
    record(page, contents, request=request)
    record(page)

    ids = sorted(one.pk for one in contents)
    assert testing.recorded()[0] == {"pages.content": ids, "pages.page": [page.pk]}
    assert testing.flush() == 2

    assert testing.recorded() == []
    page.refresh_from_db()
    assert page.counter == 2
    assert counts() == [1, 1, 1]
    assert not list(differences())
    assert not status().log_error


@pytest.mark.django_db
def test_recording_makes_no_query(
    page: Page, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    request = RequestFactory().get("/", headers={"user-agent": "Mozilla/5.0"})

    with django_assert_num_queries(0):
        record(page, request=request)


@pytest.mark.django_db
def test_what_is_recorded_in_a_block_is_counted_at_its_end(page: Page) -> None:
    with testing.counting():
        record(page)

    page.refresh_from_db()
    assert page.counter == 1


@pytest.mark.django_db(transaction=True)
def test_what_rolls_back_is_not_recorded(page: Page) -> None:
    def fail() -> None:
        with transaction.atomic():
            record(page)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with transaction.atomic():
        record(page)
        assert testing.recorded() == []

    assert testing.flush() == 1
    assert Segment.objects.count() == 1


@pytest.mark.django_db
def test_the_real_log_is_used_where_the_settings_say_so(settings: Settings) -> None:
    settings.COUNTERS_TEST_LOG_URL = ""

    with pytest.raises(Away):
        get_log().length(0)


class TestViews(TestCase):
    """Whatever their order, no test sees a view of another one, and all see that of the class."""

    page: Page

    @classmethod
    def setUpTestData(cls) -> None:
        cls.page = Page.objects.create(title="A page")

    def views(self) -> int:
        testing.flush()
        return Page.objects.get(pk=self.page.pk).counter

    def test_one(self) -> None:
        record(self.page)
        assert self.views() == 1

    def test_two(self) -> None:
        record(self.page)
        record(self.page)
        assert self.views() == 2

    def test_twice(self) -> None:
        assert self.views() == 0
        record(self.page)
        assert self.views() == 1
        record(self.page)
        assert self.views() == 2

    def test_recorded_and_not_counted(self) -> None:
        record(self.page)
