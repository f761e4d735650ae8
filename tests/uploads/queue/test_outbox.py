"""Publishing: a hint, without which nothing is lost."""

import pytest
from django.db import transaction
from kombu.exceptions import OperationalError
from pytest_django import DjangoCaptureOnCommitCallbacks

from footfall.common import celery
from footfall.common.breaker import CircuitBreaker
from loadtest.common.waiting import wait_until
from project.celery import app
from tests.support.files import MakeFile
from tests.support.proxy import Fault, Proxy
from tests.uploads.fake_sandbox import FakeSandbox
from tests.uploads.outcomes import outcome
from uploads.models import Status
from uploads.processing.worker import process_next
from uploads.queue import get_queue
from uploads.queue.events import MalformedEvent, decode, encode
from uploads.queue.outbox import publish_on_commit, wake_worker
from uploads.queue.redis_queue import RedisQueue


def test_an_event_names_its_file() -> None:
    assert encode(7) == b'{"type":"FileUploaded","v":1,"file":7}'
    assert decode(encode(7)) == 7


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff", "not JSON: UnicodeDecodeError"),
        (b"[" * 100_000, "not JSON: RecursionError"),
        (b"[]", "not an upload"),
        (b'{"type":"Viewed","v":1,"file":7}', "not an upload"),
        (b'{"type":"FileUploaded","v":2,"file":7}', "unknown version 2"),
        (b'{"type":"FileUploaded","v":1}', "not an id of a file: None"),
        (b'{"type":"FileUploaded","v":1,"file":true}', "not an id of a file: True"),
        (b'{"type":"FileUploaded","v":1,"file":9223372036854775808}', "not an id of a file: 9223"),
    ],
)
def test_a_malformed_event_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedEvent, match=reason):
        decode(body)


def test_the_event_is_published_when_the_row_is_committed(
    make_file: MakeFile,
    queue: RedisQueue,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        file = make_file()
        publish_on_commit(file)
        assert queue.length() == 0

    entry = queue.first()
    assert entry
    assert entry.body == encode(file.pk)


@pytest.mark.django_db(transaction=True)
def test_a_row_that_is_rolled_back_is_not_published(make_file: MakeFile, queue: RedisQueue) -> None:
    def upload() -> None:
        with transaction.atomic():
            publish_on_commit(make_file())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        upload()

    assert queue.length() == 0


def test_a_file_without_an_entry_is_processed_nevertheless(
    make_file: MakeFile,
    proxy: Proxy,
    sandbox: FakeSandbox,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    """The log was away when it was uploaded."""
    proxy.fault = Fault.CUT_BEFORE
    with django_capture_on_commit_callbacks(execute=True):
        file = make_file()
        publish_on_commit(file)
    proxy.fault = Fault.NONE
    assert get_queue().length() == 0

    assert process_next()

    assert outcome(file) == (Status.PROCESSED, 1, "")


def test_a_worker_is_woken_without_waiting_for_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, object]] = []

    def send_task(name: str, *arguments: object, **options: object) -> None:
        sent.append((name, options["queue"]))
        raise OperationalError

    monkeypatch.setattr(celery, "_breaker", CircuitBreaker(reset_after=60))
    monkeypatch.setattr(app, "send_task", send_task)
    for _ in range(2):
        wake_worker()
        wait_until(lambda: not celery._sending)

    assert sent == [("uploads.process", "uploads")]
