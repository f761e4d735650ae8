"""Several of everything at once, on connections of their own."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum
from django.test import RequestFactory

from catalog.pages.models import Content, Page, PageContent, Text
from footfall.flush import flush, flush_all
from footfall.models import Adjustment, Audit, Rollup
from footfall.ops.adjust import adjust
from footfall.ops.audit.run import differences, run_audit
from footfall.policies import DAY, AtMost
from footfall.record import record
from footfall.registry import counter_field
from footfall.viewers.request import viewer_of
from tests.support import processes
from tests.support.concurrency import run_at_once
from tests.support.processes import manage
from tests.support.views import Counts

pytestmark = pytest.mark.django_db(transaction=True)


def test_producers_and_flushes_at_once_count_exactly(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    other = Page.objects.create(title="Another page with the same contents")
    for position, content in enumerate(reversed(contents)):
        PageContent.objects.create(page=other, content=content, position=position)

    def write() -> None:
        for number in range(60):
            record(page if number % 2 else other, contents)

    def flush_often() -> None:
        for _ in range(15):
            flush(limit=20)

    run_at_once([write] * 4 + [flush_often] * 3)
    flush_all()

    assert counts() == [240, 240, 240]
    assert not list(differences())


def test_a_visitor_counts_so_often_however_many_flush(
    page: Page,
    contents: list[Content],
    counts: Counts,
    rf: RequestFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counter_field(Content), "policy", AtMost(3, per=DAY))
    at = time.time_ns() // 1_000_000 - 3_600_000
    addresses = [f"10.0.{number}.1" for number in range(10)]
    viewer_of(rf.get("/"))  # while a process reads its first salt, visitors are not known

    def write() -> None:
        for address in addresses:
            record(page, contents, request=rf.get("/", REMOTE_ADDR=address), at=at)

    def flush_often() -> None:
        for _ in range(6):
            flush(limit=12)

    run_at_once([write] * 5 + [flush_often] * 3)
    flush_all()

    assert counts() == [30, 30, 30]
    assert list(run_audit(Audit())) == []


def test_partitions_that_share_contents_do_not_deadlock(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    """Each flush claims one partition; their batches update the same rows in different orders."""
    shared = [Text.objects.create(title=str(n), text="") for n in range(60)]
    pages = [page, *(Page.objects.create(title=str(n)) for n in range(4))]

    def write_and_flush(own: Page, contents: list[Any]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(8):
                record(own, contents)
                flush()

        return run

    run_at_once(
        write_and_flush(own, shared[::-1] if number % 2 else shared)
        for number, own in enumerate(pages)
    )
    flush_all()

    assert set(Text.objects.filter(pk__in=[t.pk for t in shared]).values_list("counter")) == {(40,)}


@pytest.mark.postgres  # elsewhere a row has no such lock: the editor waits until the commit
def test_an_editor_who_attaches_content_does_not_wait_for_a_flush(
    page: Page, contents: list[Content]
) -> None:
    """A foreign key to a row takes a KEY SHARE lock on it, which NO KEY UPDATE lets through."""
    from django.db import transaction

    from footfall import sql

    with transaction.atomic():
        sql.add_counts(Content, {contents[0].pk: 1})

        def attach() -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '2s'")
            PageContent.objects.create(page=page, content=contents[0], position=9)

        run_at_once([attach])

    assert page.placements.count() == 4


def test_flush_commands_at_once(
    page: Page, contents: list[Content], counts: Counts, environment: dict[str, str]
) -> None:
    for _ in range(200):
        record(page, contents)

    flushes = run_at_once([partial(processes.run, environment, manage, "counters", "flush")] * 3)

    assert [flush.returncode for flush in flushes] == [0, 0, 0]
    assert sum(int(flush.stdout.split()[0]) for flush in flushes) == 200
    assert counts() == [200, 200, 200]


def test_resets_beside_flushes_leave_every_view_and_every_reset_accounted_for(
    page: Page, contents: list[Content]
) -> None:
    def write_and_flush() -> None:
        for _ in range(16):
            record(page, contents)
            flush()

    def reset_often() -> None:
        for number in range(10):
            adjust(Content, contents[0].pk, to=number % 3, why="tried")

    run_at_once([write_and_flush] * 2 + [reset_often] * 2)
    flush_all()

    views = Rollup.objects.filter(target_id=contents[0].pk).aggregate(n=Sum("views"))["n"]
    assert views >= 32
    assert not list(differences())


def test_two_resets_at_once_leave_one_of_their_values(
    page: Page, contents: list[Content], counts: Counts
) -> None:
    for _ in range(5):
        record(page, contents)
    flush()

    run_at_once(partial(adjust, Content, contents[0].pk, to=to, why="both") for to in (0, 2))

    amounts = list(Adjustment.objects.order_by("pk").values_list("amount", flat=True))
    assert (counts()[0], amounts) in ((2, [-5, 2]), (0, [-3, -2]))
