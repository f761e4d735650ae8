import os
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from pytest_django import Settings

from tests.support import databases
from tests.support.files import MakeFile, Upload
from tests.uploads.fake_sandbox import FakeSandbox
from uploads import tasks
from uploads.models import File, Kind
from uploads.processing import abandoned, turns
from uploads.processing import sandbox as real
from uploads.queue import get_queue, outbox
from uploads.queue.outbox import publish
from uploads.queue.redis_queue import RedisQueue


@pytest.fixture(autouse=True)
def own_queue(settings: Settings, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's queue has a name of the test's own. No worker is woken."""
    settings.COUNTERS_LOG_PREFIX = prefix
    monkeypatch.setattr(outbox, "wake_worker", lambda: None)
    monkeypatch.setattr(abandoned, "_watch", abandoned.Watch())
    monkeypatch.setattr(turns, "places", turns.Places(turns.AT_ONCE))
    monkeypatch.setattr(tasks.hourly, "_last", float("-inf"))


@pytest.fixture
def queue(own_queue: None) -> RedisQueue:
    return get_queue()


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    """Where the test's files lie."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture
def make_file(db: None) -> MakeFile:
    """Makes a file as an upload leaves it before it is published: stored, and waiting."""

    def make_file(body: bytes = b"Hello\n", name: str = "a.txt", **fields: object) -> File:
        file = File(name=name, size=len(body), sha256="0" * 64, **fields)
        file.kind = file.kind or Kind.TEXT
        file.content_type = file.content_type or "text/plain"
        file.file.save(name, ContentFile(body), save=False)
        file.save()
        return file

    return make_file


@pytest.fixture
def upload(make_file: MakeFile) -> Upload:
    """Makes a file whose event is in the queue."""

    def upload(body: bytes = b"Hello\n", **fields: object) -> File:
        file = make_file(body, **fields)
        publish(file)
        return file

    return upload


@pytest.fixture
def environment(prefix: str, media: Path, db: None) -> dict[str, str]:
    """The environment of a process that works on the test's database, queue and storage."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "COUNTERS_LOG_PREFIX": prefix,
        "MEDIA_ROOT": str(media),
        "PYTHONPATH": ".",
        **databases.environment(),
    }


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> FakeSandbox:
    """Stands in for the child process from now on."""
    sandbox = FakeSandbox()
    monkeypatch.setattr(real, "process", sandbox)
    return sandbox
