"""The dashboard in the admin, on real stores."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from pytest_django import DjangoAssertNumQueries, Settings
from redis import Redis

from catalog.pages.models import Content, Page, Text
from footfall.eventlog import RedisLog
from footfall.flush import flush, ingest
from footfall.models import Audit, DeadLetter, Partition, Projection, Segment
from footfall.ops.workers import Workers
from footfall.projections.ranking import Window, rank_due
from footfall.record import record
from footfall.registry import countable_models
from tests.support.pages import remove_all_pages
from tests.support.schedule import scheduled
from tests.support.views import AT, Answering, make_older, store_views

pytestmark = pytest.mark.django_db

PAGE = reverse("admin:counters_dashboard_changelist")
HEALTH = reverse("admin:counters_dashboard_health")
VIEWS = reverse("admin:counters_dashboard_views")
AUDIT = reverse("admin:counters_dashboard_audit")


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
    assert page.count("No views yet") == 2 * len(countable_models())
    assert page.count("Not computed yet") == len(countable_models()) * len(Window)
    assert "There has been no audit yet." in page


def test_it_shows_what_is_viewed(admin_client: Client, page: Page, contents: list[Content]) -> None:
    for _ in range(3):
        record(page, contents[:2])
    flush()
    rank_due()

    shown = text(admin_client, VIEWS)

    assert shown.count(">Text 0</a>") == 3
    assert f'href="{reverse("admin:pages_content_change", args=[contents[0].pk])}"' in shown
    assert "Text 2" not in shown
    assert ": 6</title>" in shown


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
        for kind in ("hourly", "totals")
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

    shown = text(admin_client, VIEWS)

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
    of_models = 2 * len(countable_models())
    with django_assert_max_num_queries(2 + 2 + of_models):
        admin_client.get(VIEWS)
    with django_assert_max_num_queries(2 + 12 + 2 + of_models):
        admin_client.get(PAGE)


@pytest.mark.parametrize("address", [PAGE, HEALTH, VIEWS])
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

    assert "<span>A page</span>" in shown, "a link leads where they may not go"
    assert "Run an audit" not in shown
    assert operator.post(AUDIT).status_code == 403
    assert PAGE in text(operator, reverse("admin:index"))


def test_nothing_runs_in_the_page_that_is_not_a_file_of_ours(admin_client: Client) -> None:
    page = text(admin_client, PAGE)

    assert " style=" not in page
    assert " onclick=" not in page
    for script in page.split("<script")[1:]:
        assert script.startswith(' src="/static/')
