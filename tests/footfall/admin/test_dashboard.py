"""The dashboard in the admin, on real stores."""

import csv
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from pytest_django import DjangoAssertNumQueries, Settings
from redis import Redis

from catalog.pages.models import Content, Page, Text
from footfall.eventlog import RedisLog
from footfall.flush import flush, ingest
from footfall.models import (
    Audit,
    DeadLetter,
    HourTotal,
    Partition,
    Projection,
    Ranking,
    Rollup,
    Segment,
)
from footfall.ops.workers import Workers
from footfall.projections.ranking import rank_due
from footfall.projections.series import Interval
from footfall.record import record
from footfall.registry import counted_as
from tests.support.agents import BROWSER, ROBOT
from tests.support.pages import remove_all_pages
from tests.support.schedule import scheduled
from tests.support.views import AT, Answering, make_older, store_views

pytestmark = pytest.mark.django_db

PAGE = reverse("admin:counters_dashboard_changelist")
HEALTH = reverse("admin:counters_dashboard_health")
VIEWS = reverse("admin:counters_dashboard_views")
AUDIT = reverse("admin:counters_dashboard_audit")
EXPORT = reverse("admin:counters_dashboard_export")
CONTENTS = f"{VIEWS}?model=pages.content"
VIEWS_QUERIES = 10
"""Series, visitors by day and in two periods, the ranking, its targets; and one to spare. Bursts,
their agents, and the work on the past."""


@pytest.fixture(autouse=True)
def well(answering: Answering) -> None:
    answering(Workers({"flusher@a": ["counters"], "worker@a": ["celery"]}))
    flush = scheduled("counters.flush")
    PeriodicTask.objects.filter(pk=flush.pk).update(last_run_at=timezone.now())


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def staff(client: Client, *permissions: str) -> Client:
    user = get_user_model().objects.create_user("operator", "o@example.com", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


def test_an_empty_service_is_well(admin_client: Client) -> None:
    remove_all_pages()

    page = text(admin_client, PAGE)

    assert "All is well" in page
    assert page.count("No views yet") == 1
    assert page.count("Not computed yet") == 1
    assert "There has been no audit yet." in page


def counted(page: Page, contents: list[Content], *agents: str) -> None:
    """A view by each of the agents."""
    for agent in agents or (BROWSER,):
        record(page, contents, request={"HTTP_USER_AGENT": agent, "REMOTE_ADDR": "192.0.2.1"})
    flush()
    rank_due()


def numbers(shown: str, title: str) -> list[str]:
    """Return the numbers in a row of a ranking: views, people, visitors, robots."""
    row = re.search(rf">{title}</a></th>(.*?)</tr>", shown, re.DOTALL)
    return re.findall(r">([\d,?]+)</td>", row[1]) if row else []


def test_it_shows_what_is_viewed(admin_client: Client, page: Page, contents: list[Content]) -> None:
    counted(page, contents[:2], BROWSER, BROWSER, ROBOT)

    shown = text(admin_client, CONTENTS)

    assert numbers(shown, "Text 0") == ["3", "2", "1", "1"]
    assert f"?range=24h&amp;model=pages.content&amp;id={contents[0].pk}" in shown
    assert "Text 2" not in shown
    assert ": 6 · people 4 · robots 2 · not known 0" in shown
    assert shown.count("<title>") == 24
    models = re.findall(r"<span>(\w+)</span> <strong>(\d+)</strong>", shown)
    assert ("Contents", "6") in models
    assert ("Pages", "3") in models


@pytest.mark.parametrize("how", ["views", "people", "visitors"])
def test_the_ranking_is_sorted_as_chosen(admin_client: Client, page: Page, how: str) -> None:
    ranked: list[dict[str, Any]] = [
        {"id": page.pk, "views": 9, "people": 1, "visitors": 1},
        {"id": Page.objects.create(title="B").pk, "views": 3, "people": 3, "visitors": 2},
        {"id": Page.objects.create(title="C").pk, "views": 2, "people": 2, "visitors": 3},
        {"id": Page.objects.create(title="D").pk, "views": 1, "people": None, "visitors": None},
    ]
    for one in ranked:
        one.update({"before": 0, "series": []})
    content_type = ContentType.objects.get_for_model(Page)
    row = {"content_type": content_type, "window": "7d", "computed_at": timezone.now()}
    Ranking.objects.create(**row, ranked=ranked)

    shown = text(admin_client, f"{VIEWS}?model=pages.page&window=7d&by={how}")

    order = re.findall(r'<th scope="row"><a [^>]*>([^<]+)</a>', shown)
    expected = {"views": "ABCD", "people": "BCAD", "visitors": "CBAD"}[how]
    assert [title[0] for title in order] == list(expected)
    assert shown.count('aria-sort="descending"') == 1


def test_one_goes_from_all_to_a_page_and_its_contents_and_back(
    admin_client: Client, page: Page, contents: list[Content]
) -> None:
    counted(page, contents)
    other = Page.objects.create(title="Other")
    counted(other, contents[:1])

    of_page = text(admin_client, f"{PAGE}?model=pages.page&id={page.pk}&range=7d")

    assert "<strong>A page</strong>" in of_page
    assert numbers(of_page, "Text 0")[0] == "2", "the views of a content are those on all pages"
    assert numbers(of_page, "Text 1")[0] == "1"
    assert reverse("admin:pages_page_change", args=[page.pk]) in of_page
    link = f"?range=7d&amp;model=pages.content&amp;id={contents[0].pk}"
    assert link in of_page
    of_content = text(admin_client, PAGE + link.replace("&amp;", "&"))
    assert numbers(of_content, "A page")[0] == "1"
    assert re.search(r"<dt>Views</dt>\s*<dd><strong>2</strong>", of_content)


def test_a_range_is_compared_with_the_one_before(
    admin_client: Client, page: Page, contents: list[Content]
) -> None:
    now = timezone.now()
    for days, views in ((0, 3), (2, 5), (9, 20), (20, 100)):
        at = Interval.HOUR.start(now - timedelta(days=days))
        fields = {"content_type": ContentType.objects.get_for_model(Page), "hour": at}
        HourTotal.objects.create(**fields, views=views, person=views)
        Rollup.objects.create(**fields, target_id=page.pk, views=views, person=views)

    for what in ("model=pages.page", f"model=pages.page&id={page.pk}"):
        week = text(admin_client, f"{VIEWS}?{what}&range=7d")
        assert re.search(r"<dt>Views</dt>\s*<dd><strong>8</strong>", week)
        assert "before: 20" in week
        day = f"{now - timedelta(days=9):%Y-%m-%d}"
        own = text(admin_client, f"{VIEWS}?{what}&from={day}&to={day}")
        assert re.search(r"<dt>Views</dt>\s*<dd><strong>20</strong>", own)
        assert f'value="{day}"' in own
        year = text(admin_client, f"{VIEWS}?{what}&range=12m")
        assert re.search(r"<dt>Views</dt>\s*<dd><strong>128</strong>", year)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("from=2025-02-30", "Not a day like 2025-11-21: 2025-02-30"),
        ("range=<b>", "There is no such range"),
        ("model=auth.user", "There is no such model"),
        ("model=pages.page&id=999999", "It was deleted, or there never was one."),
        ("model=pages.page&id=x", "It was deleted, or there never was one."),
    ],
)
def test_what_cannot_be_shown_is_said(admin_client: Client, query: str, error: str) -> None:
    assert f'role="alert">{error}' in text(admin_client, f"{PAGE}?{query}")
    answer = admin_client.get(f"{EXPORT}?{query}")
    assert answer.status_code == 400
    assert error in answer.content.decode()


def exported(client: Client, query: str) -> list[list[str]]:
    answer = client.get(f"{EXPORT}?{query}")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.streaming
    return list(csv.reader(answer.getvalue().decode().splitlines()))


def test_the_range_is_exported(admin_client: Client, page: Page, contents: list[Content]) -> None:
    Content.objects.filter(pk=contents[0].pk).update(title="=1+1")
    counted(page, contents[:2], BROWSER, ROBOT)
    today = f"{timezone.now():%Y-%m-%d}"

    rows = exported(admin_client, "model=pages.content&range=7d")

    first, second = (str(one.pk) for one in contents[:2])
    assert rows == [
        ["id", "name", "day", "views", "people", "robots", "unknown", "visitors"],
        [first, "'=1+1", today, "2", "1", "1", "0", "1"],
        [second, "Text 1", today, "2", "1", "1", "0", "1"],
    ]
    one = exported(admin_client, f"model=pages.content&range=24h&id={second}")
    assert one[0][2] == "hour"
    assert [row[0] for row in one[1:]] == [second]
    assert one[1][2].startswith(f"{today}T")
    assert len(exported(admin_client, "model=pages.content&to=2020-01-01")) == 1


def test_an_export_costs_as_many_queries_for_each_50(
    admin_client: Client, page: Page, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    texts = [Text.objects.create(title=f"More {i}", text="...") for i in range(60)]
    record(page, texts)
    flush()

    with django_assert_max_num_queries(2 + 3 + 2 * 3):
        rows = exported(admin_client, "model=pages.content&range=30d")

    assert len(rows) == 61


def test_it_shows_each_partition(
    admin_client: Client, log: RedisLog, contents: list[Content]
) -> None:
    store_views(log, *[(AT, [contents[0].pk])] * 5)
    flush()
    now = int(timezone.now().timestamp() * 1000)
    store_views(log, *[(now - 3500, [contents[0].pk])] * 3, partition=1)
    DeadLetter.objects.create(partition=1, at=AT, body=b"?", reason="not JSON")

    shown = text(admin_client, HEALTH)

    rows = [" ".join(row.split()) for row in shown.split("<tr>")[2:]]
    flushed = r'<th scope="row">0</th> <td>0</td> <td>-</td> <td>\d+ s ago</td>'
    waiting = r'<th scope="row">1</th> <td>3</td> <td>\d+ s</td> <td>never</td>'
    assert re.match(flushed, rows[0])
    assert re.match(waiting, rows[1])
    assert "?partition=1" in rows[1]
    assert "1 event could not be counted and is a dead letter." in shown
    assert 'data-level="amber"' in shown


def test_it_shows_projections_and_the_store(
    admin_client: Client, page: Page, contents: list[Content]
) -> None:
    record(page, contents)
    flush()
    record(page, contents)
    ingest()
    Projection.objects.filter(name="hourly:pages.page").update(
        failed_at=timezone.now(), error="<no room>"
    )

    shown = text(admin_client, HEALTH)

    cells = dict(re.findall(r'<th scope="row">(\S+:\S+)</th>\s+<td>(\d+)</td>', shown))
    assert cells == {
        f"{kind}:{label}": "1"
        for kind in ("hourly", "totals", "visitors")
        for label in ("pages.content", "pages.page")
    }
    assert "The projection hourly:pages.page fails: &lt;no room&gt;" in shown
    assert re.search(r"The last segment, 2: 1 events, stored \d+ s ago", shown)
    assert "<p>2 events" in shown
    assert 'data-level="red"' in shown


def test_a_corrupt_segment_turns_it_red(admin_client: Client, page: Page) -> None:
    record(page)
    flush()
    Segment.objects.update(corrupt_at=timezone.now())

    shown = text(admin_client, HEALTH)

    assert "Segment 1 of the event store is corrupt" in shown
    assert reverse("admin:counters_segment_changelist") in shown
    assert 'data-level="red"' in shown


def test_a_stall_turns_it_red_and_its_end_green(
    admin_client: Client,
    log: RedisLog,
    server: Redis,
    prefix: str,
    contents: list[Content],
    answering: Answering,
) -> None:
    old = timezone.now() - timedelta(seconds=12)
    store_views(log, (int(old.timestamp() * 1000), [contents[0].pk]))
    make_older(server, prefix, seconds=12)
    Partition.objects.update(flushed_at=old)
    answering(Workers({"worker@a": ["celery"]}))

    red = text(admin_client, HEALTH)

    assert 'data-level="red"' in red
    assert "Counting has stalled: 1 events wait, the oldest for 12 s." in red
    assert "No worker serves the queue “counters”" in red

    answering(Workers({"flusher@a": ["counters"], "worker@a": ["celery"]}))
    flush()
    assert 'data-level="green"' in text(admin_client, HEALTH)


def test_a_beat_that_is_gone_turns_it_red(admin_client: Client) -> None:
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(seconds=11))

    assert "Beat sends no ticks; the last one came 11 s ago." in text(admin_client, HEALTH)


def test_what_the_last_audit_found_stays_however_many_are_requested(admin_client: Client) -> None:
    Audit.objects.create(differences=3, finished_at=timezone.now())
    for _ in range(2):
        Audit.objects.create()

    shown = text(admin_client, HEALTH)

    assert "3 counters and 0 positions are wrong" in shown
    assert "An audit was queued" in shown
    assert 'data-level="red"' in shown


def test_without_redis_it_is_shown_all_the_same(
    admin_client: Client, settings: Settings, answering: Answering
) -> None:
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"
    answering(Workers(error="refused"))

    page = text(admin_client, PAGE)

    assert "Redis does not answer" in page
    assert "<dd>?" in page


def test_targets_that_are_gone_are_left_out(
    admin_client: Client, page: Page, contents: list[Content]
) -> None:
    record(page, contents)
    flush()
    rank_due()
    contents[0].delete()

    shown = text(admin_client, CONTENTS)

    assert "Text 0" not in shown
    assert "Text 1" in shown


def test_a_refresh_costs_few_queries_however_much_there_is(
    admin_client: Client, page: Page, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    texts = [Text.objects.create(title=f"More {i}", text="...") for i in range(30)]
    record(page, texts)
    flush()
    rank_due()

    with django_assert_max_num_queries(2 + 12):  # session, user
        admin_client.get(HEALTH)
    for query in ("range=24h", "range=7d", "range=12m&by=people", "model=pages.content"):
        with django_assert_max_num_queries(2 + VIEWS_QUERIES):
            admin_client.get(f"{VIEWS}?{query}")
    for target in (page, texts[0]):
        label = counted_as(type(target))
        with django_assert_max_num_queries(2 + VIEWS_QUERIES + 3):
            admin_client.get(f"{VIEWS}?model={label}&id={target.pk}&range=30d")
    with django_assert_max_num_queries(2 + 12 + VIEWS_QUERIES):
        admin_client.get(PAGE)


@pytest.mark.parametrize("address", [PAGE, HEALTH, VIEWS, EXPORT])
def test_who_may_not_see_it_does_not(client: Client, address: str) -> None:
    assert client.get(address).status_code == 302
    assert staff(client, "view_content").get(address).status_code == 403


def test_it_is_first_on_the_index_for_who_may_see_it(client: Client, admin_client: Client) -> None:
    index = text(admin_client, reverse("admin:index"))
    content = index.partition('id="content"')[2]
    assert content.index(PAGE) < content.index("<caption>")

    assert PAGE not in text(staff(client, "view_content"), reverse("admin:index"))


def test_the_permission_to_see_it_is_enough(client: Client, page: Page) -> None:
    record(page)
    flush()
    rank_due()
    operator = staff(client, "view_dashboard")

    shown = text(operator, PAGE)

    assert ">A page</a>" in shown
    of_page = text(operator, f"{PAGE}?model=pages.page&id={page.pk}")
    assert "<strong>A page</strong>" in of_page
    assert "admin/pages/" not in of_page, "a link leads where they may not go"
    assert exported(operator, "model=pages.page")[1][1] == "A page"
    assert "Run an audit" not in shown
    assert operator.post(AUDIT).status_code == 403
    assert PAGE in text(operator, reverse("admin:index"))


def test_nothing_runs_in_the_page_that_is_not_a_file_of_ours(admin_client: Client) -> None:
    page = text(admin_client, PAGE)

    assert " style=" not in page
    assert " onclick=" not in page
    for script in page.split("<script")[1:]:
        assert script.startswith(' src="/static/')
