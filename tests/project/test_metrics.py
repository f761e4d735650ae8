"""`/metrics`: true figures, from any process, and what is declared is what is documented."""

import re
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from catalog.pages.models import Page
from footfall.flush import flush, ingest, project
from footfall.models import Audit, Carried, DeadLetter, Kind, Partition, Projection
from footfall.ops import metrics as counting
from footfall.reclassify.changes import begin
from footfall.reclassify.past import finish
from footfall.record import record
from footfall.registry import content_type_of
from project import metrics as stores
from tests.support.agents import HIDDEN, decide, seen
from tests.support.pages import make_page, make_text
from tests.support.projections import view
from uploads import metrics as files
from uploads.models import File, Status

pytestmark = pytest.mark.django_db
DECLARED = {*counting.GAUGES, *counting.COUNTERS, *files.GAUGES, *stores.GAUGES}


@pytest.fixture(autouse=True)
def _log_of_its_own(settings: Settings) -> None:
    """Other tests leave in the log what a transaction took back from the database."""
    settings.COUNTERS_LOG_PREFIX = f"test-{uuid4().hex}"


def read(client: Client) -> dict[tuple[str, str], float]:
    """Return value by name and label, summed up over partitions."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=")
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(answer.content.decode()):
        for sample in family.samples:
            label = "".join(v for k, v in sample.labels.items() if k != "partition")
            key = sample.name, label
            found[key] = found.get(key, 0) + sample.value
    return found


def test_figures_are_those_of_the_stores(client: Client) -> None:
    page = make_page(make_text("Salt"))
    before = read(client)
    for _ in range(3):
        record(page)
    waiting = read(client)
    flush()
    counted = read(client)

    name = ("footfall_waiting_events", "")
    assert (waiting[name] - before[name], counted[name]) == (3, 0)
    assert counted["footfall_events_total", ""] - before["footfall_events_total", ""] == 3
    assert counted["footfall_last_batch_events", ""] == 3
    assert counted["footfall_last_batch_targets", ""] == 1
    assert counted["footfall_stored_events_total", ""] == 3
    assert counted["footfall_segments", ""] == 1
    assert counted["footfall_corrupt_segments", ""] == 0
    assert counted["footfall_views_total", "pages.page"] == 3
    assert counted["footfall_up", "database"] == counted["footfall_up", "log"] == 1


def test_kinds_of_agents_are_told(client: Client) -> None:
    content = make_text("Salt")
    view({"pages.content": [content.pk]}, 3, agent=seen(HIDDEN))
    view({"pages.content": [content.pk]}, 2)
    project(force=True)
    decide(HIDDEN, Kind.ROBOT)
    begin(None)

    begun = read(client)
    finish()
    done = read(client)

    assert begun["footfall_reclassifying_events", ""] == 5
    assert begun["footfall_agent_views", "person"] == 3
    assert done["footfall_reclassifying_events", ""] == 0
    kinds = {kind.name.lower(): done["footfall_agent_views", kind.name.lower()] for kind in Kind}
    assert kinds == dict.fromkeys(kinds, 0) | {"robot": 3, "unknown": 2}


def test_projections_that_are_behind_are_told(client: Client) -> None:
    page = make_page(make_text("Salt"))
    record(page)
    flush()
    record(page)
    ingest()
    Projection.objects.filter(name="hourly:pages.page").update(failed_at=timezone.now())
    kind = content_type_of(Page)
    Carried.objects.create(content_type=kind, target_id=page.pk, views=7, since=0)

    found = read(client)

    assert found["footfall_projection_lag_events", "totals:pages.page"] == 1
    assert found["footfall_projection_lag_seconds", "hourly:pages.page"] > 0
    assert found["footfall_projection_failing", "hourly:pages.page"] == 1
    assert found["footfall_projection_failing", "totals:pages.page"] == 0
    assert found["footfall_carried_views", "pages.page"] == 7


def test_dropped_events_are_those_of_ingest_and_projections(client: Client) -> None:
    Partition.objects.create(number=90, dropped={"dead_letter": 2, "already_counted": 1})
    Partition.objects.create(number=91, dropped={"dead_letter": 3})
    Projection.objects.create(name="totals:shop.item", dropped={"target_deleted": 4})

    found = read(client)

    assert found["footfall_dropped_events", "dead_letter"] == 5
    assert found["footfall_dropped_events", "already_counted"] == 1
    assert found["footfall_dropped_events", "target_deleted"] == 4


@pytest.mark.parametrize("rows", [0, 1])
def test_the_store_has_a_size_where_the_database_knows_it(client: Client, rows: int) -> None:
    if rows:
        record(make_page(make_text("Salt")))
        flush()

    size = read(client).get(("footfall_store_bytes", ""))

    assert size is None if connection.vendor == "sqlite" else size is not None and size > 0


def test_misses_are_reads_that_had_to_prepare(client: Client) -> None:
    page = make_page(make_text("Salt"))
    name = ("footfall_cache_misses_total", "")
    before = read(client)[name]
    for _ in range(3):
        client.get(f"/api/v1/pages/{page.pk}/")

    assert read(client)[name] - before == 1


@pytest.mark.postgres
def test_the_servers_are_told_so_that_a_promotion_shows(client: Client) -> None:
    first, second = read(client), read(client)

    assert first["footfall_database_timeline", ""] >= 1
    assert first["footfall_log_server", ""] > 0
    for name in ("database_timeline", "log_server", "log_replicas", "log_may_evict", "log_refuses"):
        assert first[f"footfall_{name}", ""] == second[f"footfall_{name}", ""]
    assert first["footfall_log_may_evict", ""] == 0


def test_files_are_counted_by_status(client: Client) -> None:
    File.objects.create(name="a", size=1, status=Status.FAILED)

    found = read(client)

    assert found["footfall_files", "failed"] == 1
    assert found["footfall_files", "processed"] == 0


def test_an_audit_and_what_is_set_aside_are_told(client: Client) -> None:
    Audit.objects.create(differences=2, finished_at=timezone.now())
    DeadLetter.objects.create(partition=0, body=b"?", reason="nonsense", at=0)

    found = read(client)

    assert found["footfall_audit_differences", ""] == 2
    assert found["footfall_dead_letter_events", ""] == 1


def test_an_interrupted_audit_does_not_hide_what_the_one_before_found(client: Client) -> None:
    Audit.objects.create(differences=2, finished_at=timezone.now())
    Audit.objects.create(error="Redis does not answer", finished_at=timezone.now())
    assert read(client)["footfall_audit_differences", ""] == 2

    Audit.objects.create(broken=1, error="Redis does not answer", finished_at=timezone.now())
    assert read(client)["footfall_audit_broken", ""] == 1


def test_without_redis_the_rest_is_told(client: Client, settings: Settings) -> None:
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"

    found = read(client)

    assert (found["footfall_up", "log"], found["footfall_up", "database"]) == (0, 1)
    assert ("footfall_waiting_events", "") not in found
    assert found["footfall_spilled_events", ""] == 0


def test_without_the_database_the_answer_says_so(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise DatabaseError

    monkeypatch.setattr(counting, "status", away)

    assert read(client)["footfall_up", "database"] == 0


def test_a_database_that_goes_away_meanwhile_is_told_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise DatabaseError

    monkeypatch.setattr(counting, "dropped", away)

    assert read(client)["footfall_up", "database"] == 0  # the sum of all samples


def test_only_names_that_are_declared_are_used() -> None:
    for path in Path("compose/monitoring").rglob("*.*"):
        for name in re.findall(r"footfall_\w+", path.read_text()):
            assert name in DECLARED, f"{path}: {name}"
