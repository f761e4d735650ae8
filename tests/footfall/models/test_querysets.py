"""The most viewed, and views since a time, as querysets."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.pages.models import Content, Page
from footfall.flush import flush
from footfall.models import CountableQuerySet
from footfall.record import record

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("real_delay")]


def viewed(page: Page, times: int, ago: timedelta = timedelta()) -> None:
    at = int((timezone.now() - ago).timestamp() * 1000)
    for _ in range(times):
        record(page, at=at)


@pytest.fixture
def pages() -> list[Page]:
    """Of the last 12 hours: 1, 3 and 0 views; the first has 5 of 20 hours ago."""
    pages = [Page.objects.create(title=f"Page {number}") for number in range(3)]
    viewed(pages[0], 1)
    viewed(pages[0], 5, timedelta(hours=20))
    viewed(pages[1], 3)
    flush()
    return pages


def test_views_since_a_time(pages: list[Page]) -> None:
    since = timezone.now() - timedelta(hours=12)

    found: Any = Page.objects.filter(pk__in=[one.pk for one in pages]).with_views(since=since)

    assert list(found.order_by("pk").values_list("views", flat=True)) == [1, 3, 0]
    assert found.filter(views__gte=3).get() == pages[1]
    named = found.with_views(since=since - timedelta(hours=12), name="day").order_by("pk")
    assert [one.day for one in named] == [6, 3, 0]


def test_the_most_viewed_come_first_and_can_be_filtered(pages: list[Page]) -> None:
    assert list(Page.objects.most_viewed()) == pages[:2]
    assert list(Page.objects.most_viewed(days=0.5)) == [pages[1], pages[0]]
    assert list(Page.objects.most_viewed(days=1)) == pages[:2]
    assert list(Page.objects.most_viewed(days=1).filter(title="Page 1")) == [pages[1]]
    assert Page.objects.most_viewed(days=1).count() == 2
    assert list(Page.objects.most_viewed(days=1)[:1]) == pages[:1]


def test_a_child_has_the_views_of_the_parent(page: Page, contents: list[Content]) -> None:
    record(page, contents[:1])
    flush()

    texts: Any = CountableQuerySet(type(contents[0]))

    assert [one.pk for one in texts.most_viewed(days=1)] == [contents[0].pk]


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Page.objects.with_views(since=datetime.now(UTC).replace(tzinfo=None))


def test_one_made_of_another_keeps_what_is_fetched_with_it(
    page: Page, contents: list[Content], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ours = Page.objects.filter(pk=page.pk)
    rows = ours.prefetch_related("placements__content")
    counted: Any = CountableQuerySet.of(rows)

    with django_assert_num_queries(3):
        (found,) = counted.with_counter(name="hits")
        assert {one.content for one in found.placements.all()} == {*contents}
    assert list(CountableQuerySet.of(ours.values_list("title", flat=True))) == [page.title]
