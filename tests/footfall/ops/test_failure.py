"""An ingest that fails is told where operators look, not only in the output of the worker."""

from io import StringIO

import psycopg2.errors
import pytest
from django.core.management import call_command
from django.db import OperationalError

from catalog.pages.models import Content, Page
from footfall import flush, tasks, worker
from footfall.common.ticks import TickLimit
from footfall.flush import project
from footfall.ops import readiness
from footfall.ops.facts import gather
from footfall.ops.health import Level, find_problems
from footfall.ops.workers import Workers
from footfall.record import record
from tests.support.views import Answering, Counts

pytestmark = pytest.mark.django_db

FULL = 'could not extend file "base/16384/17111": No space left on device'


def said() -> list[str]:
    return [one.what for one in find_problems(gather()) if "stored" in one.what]


def status() -> str:
    out = StringIO()
    call_command("counters", "status", stdout=out)
    return out.getvalue()


def test_a_database_whose_disk_is_full_is_said_until_there_is_room(
    page: Page,
    contents: list[Content],
    counts: Counts,
    answering: Answering,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(Workers({"flusher@a": ["counters"]}))
    monkeypatch.setattr(worker, "_ticks", TickLimit(0))
    monkeypatch.setattr(worker, "wake_projections", lambda is_quiet: project())
    record(page, contents)

    def append(*arguments: object, **options: object) -> None:
        raise OperationalError(FULL) from psycopg2.errors.DiskFull(FULL)

    with monkeypatch.context() as patch:
        patch.setattr(flush, "append", append)
        tasks.flush()

    assert readiness.worker() == "events cannot be stored: DiskFull"
    assert said() == [f"Events cannot be stored: DiskFull: {FULL}"]
    (finding,) = (one for one in find_problems(gather()) if one.what == said()[0])
    assert finding.level is Level.RED
    assert f"Events cannot be stored: DiskFull: {FULL}" in status()

    tasks.flush()

    assert counts() == [1, 1, 1]
    assert (readiness.worker(), said()) == ("", [])
