"""A clock that jumps an hour, back or ahead: a web server's, or that of the process that prunes."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from unittest import mock

import pytest

from catalog.pages.models import Content, Page
from footfall.flush import flush_all
from footfall.models import Partition, Rollup
from footfall.ops import retention
from footfall.ops.audit.run import differences
from footfall.record import record
from tests.support.clocks import database_clock, worker_clock
from tests.support.views import AT, HOUR, Counts

pytestmark = pytest.mark.django_db


def record_at(page: Page, contents: list[Content], at: int) -> None:
    """at: time by the clock of the web server, in ms since 1970."""
    with mock.patch("footfall.record.time.time_ns", return_value=at * 1_000_000):
        record(page, contents)


def test_a_view_goes_to_the_hour_that_the_clock_of_its_server_showed(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    """Also a millisecond before and after a full hour, and in whatever order."""
    for at in (AT, AT + HOUR, AT - HOUR, AT - 1, AT):
        record_at(page, contents, at)
        flush_all()

    assert counts() == [5, 5, 5]
    hours = Rollup.objects.filter(target_id=page.pk, content_type__model="page").order_by("hour")
    found = {int(row.hour.timestamp() * 1000): row.views for row in hours}
    assert found == {AT - HOUR: 2, AT: 2, AT + HOUR: 1}
    assert not list(differences())


@pytest.mark.parametrize("clock", [database_clock, worker_clock])
@pytest.mark.parametrize("hours", [-1, 1])
def test_what_proves_that_views_were_counted_outlives_a_jump(
    hours: int,
    clock: Callable[..., AbstractContextManager[None]],
    page: Page,
    contents: list[Content],
    counts: Counts,
) -> None:
    record(page, contents)
    flush_all()

    with clock(hours=hours):
        retention.prune()
    Partition.objects.update(position="", producer_id=None, sequence=None, offset=0)
    flush_all()

    assert counts() == [1, 1, 1]
