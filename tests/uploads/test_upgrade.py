"""The version before this one, which kept a second lease in the queue, and runs beside this one."""

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from tests.uploads.fake_sandbox import FakeSandbox
from tests.uploads.outcomes import outcome
from uploads.models import File, Status
from uploads.processing import claims, worker
from uploads.processing.abandoned import release_abandoned
from uploads.queue.events import encode
from uploads.queue.redis_queue import RedisQueue

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]

GROUP = "workers"


def insert(media: Path, **values: object) -> File:
    """Insert a row as the version before does: with its columns, and with no others."""
    name = f"files/ab/{uuid.uuid4().hex}.txt"
    path = media / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"Hello\n")
    row: dict[str, Any] = {
        "file": name,
        "name": "a.txt",
        "size": 6,
        "sha256": "0" * 64,
        "content_type": "text/plain",
        "kind": "text",
        "uploaded_at": timezone.now(),
        "status": Status.RECEIVED,
        "metadata": "{}",
        "thumbnail": "",
        "error": "",
        "attempts": 0,
        "due_at": None,
        "entry_id": "",
        **values,
    }
    columns = ", ".join(f"{connection.ops.quote_name(column)}" for column in row)
    places = ", ".join(["%s"] * len(row))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO uploads_file ({columns}) VALUES ({places})",  # noqa: S608
            list(row.values()),
        )
    return File.objects.get(file=name)


def new_claim() -> object:
    """Return a claim as this database keeps it."""
    return File._meta.get_field("claim").get_db_prep_value(uuid.uuid4(), connection)


def read_as_before(server: redis.Redis, queue: RedisQueue) -> None:
    """Take the entries into the pending list of a worker of the version before."""
    server.xgroup_create(queue.key, GROUP, "0", mkstream=True)
    server.xreadgroup(GROUP, "old", {queue.key: ">"})


def process_all() -> None:
    while worker.process_next():
        pass


def test_files_that_were_in_process_at_the_upgrade_are_taken_over(
    media: Path, queue: RedisQueue, server: redis.Redis, settings: Settings
) -> None:
    claim = {"claim": new_claim(), "claimed_at": timezone.now() - timedelta(hours=1)}
    working = insert(media, status=Status.PROCESSING, attempts=1, entry_id="1-1", **claim)
    taken = insert(media, entry_id="2-1")
    for file in (working, taken):
        queue.append(encode(file.pk), 0)
    read_as_before(server, queue)
    settings.UPLOADS_LEASE_SECONDS = 0

    assert release_abandoned() == 1
    File.objects.filter(pk=working.pk).update(due_at=None)
    process_all()

    assert outcome(working) == (Status.PROCESSED, 2, "")
    assert outcome(taken) == (Status.PROCESSED, 1, "")
    assert queue.length() == 0


def test_what_its_web_server_inserts_is_processed(media: Path) -> None:
    """Its row is due two seconds later, and once it has an entry, no more."""
    published = insert(media, entry_id="1-1")
    unpublished = insert(media, due_at=timezone.now() - timedelta(seconds=1))

    process_all()

    assert outcome(published) == outcome(unpublished) == (Status.PROCESSED, 1, "")
    assert published.sender == ""


def test_what_its_worker_claims_is_left_to_it(media: Path, sandbox: FakeSandbox) -> None:
    claim = {"claim": new_claim(), "claimed_at": timezone.now()}
    file = insert(media, status=Status.PROCESSING, attempts=1, **claim)

    process_all()

    assert outcome(file)[0] == Status.PROCESSING
    assert not sandbox.processed
    assert claims.in_process()


def test_a_column_of_it_stays_with_a_default() -> None:
    """What this version inserts has none of it."""
    with connection.cursor() as cursor:
        columns = {
            column.name
            for column in connection.introspection.get_table_description(cursor, "uploads_file")
        }

    assert "entry_id" in columns
    assert not hasattr(File, "entry_id")
