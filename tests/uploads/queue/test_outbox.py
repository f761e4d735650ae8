"""Publishing: with the upload, or later."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError
from pytest_django import DjangoCaptureOnCommitCallbacks

from footfall.common import celery
from footfall.common.breaker import CircuitBreaker
from loadtest.common.waiting import wait_until
from project.celery import app
from tests.support.files import MakeFile
from tests.support.proxy import Fault, Proxy
from uploads.models import File, Status
from uploads.queue import get_queue
from uploads.queue.events import MalformedEvent, decode, encode
from uploads.queue.outbox import publish, publish_due, publish_on_commit, wake_worker
from uploads.queue.redis_queue import RedisQueue


def is_due(file: File) -> bool:
    return File.objects.filter(pk=file.pk, due_at__isnull=False, entry_id="").exists()


def fall_due() -> None:
    File.objects.filter(due_at__isnull=False).update(due_at=timezone.now())


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

    file.refresh_from_db()
    assert file.due_at is None
    delivery = queue.read("a")
    assert delivery
    assert (delivery.id, delivery.body) == (file.entry_id, encode(file.pk))


@pytest.mark.django_db(transaction=True)
def test_a_row_that_is_rolled_back_is_not_published(make_file: MakeFile, queue: RedisQueue) -> None:
    def upload() -> None:
        with transaction.atomic():
            publish_on_commit(make_file())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        upload()

    assert queue.length() == 0


def test_while_the_log_is_away_the_file_stays_due_and_is_published_later(
    make_file: MakeFile,
    proxy: Proxy,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    proxy.fault = Fault.CUT_BEFORE
    with django_capture_on_commit_callbacks(execute=True):
        files = [make_file(), make_file()]
        for file in files:
            publish_on_commit(file)
    assert all(map(is_due, files))
    fall_due()
    assert publish_due() == 0

    proxy.fault = Fault.NONE
    wait_until(lambda: publish_due() == 2)

    assert get_queue().length() == 2
    assert not any(map(is_due, files))


def test_a_new_file_is_left_to_its_request_for_two_seconds(
    make_file: MakeFile, queue: RedisQueue
) -> None:
    file = make_file()
    assert file.due_at
    assert timedelta(seconds=1) < file.due_at - timezone.now() <= timedelta(seconds=2)
    assert publish_due() == 0

    fall_due()
    assert publish_due() == 1
    assert publish_due() == 0
    assert queue.length() == 1


def test_files_are_published_in_the_order_in_which_they_are_due(
    make_file: MakeFile, queue: RedisQueue
) -> None:
    files = [make_file() for _ in range(5)]
    for number, file in enumerate(files):
        due_at = timezone.now() - timedelta(seconds=number)
        File.objects.filter(pk=file.pk).update(due_at=due_at)

    assert publish_due() == 5

    taken = [decode(delivery.body) for _ in files if (delivery := queue.read("a"))]
    assert taken == [file.pk for file in reversed(files)]


@pytest.mark.parametrize("status", [Status.PROCESSING, Status.PROCESSED, Status.FAILED])
def test_only_what_is_to_be_processed_is_published(make_file: MakeFile, status: Status) -> None:
    make_file(status=status)
    fall_due()

    assert publish_due() == 0


def test_what_was_claimed_before_it_was_noted_is_not_changed(
    make_file: MakeFile, queue: RedisQueue
) -> None:
    """The worker is faster than the publisher."""
    file = make_file()
    File.objects.update(status=Status.PROCESSING, due_at=None, entry_id="its-own")

    publish(file)

    file.refresh_from_db()
    assert (file.status, file.entry_id) == (Status.PROCESSING, "its-own")


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
