"""Whose file is next: nobody waits for what another sends."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connections
from pytest_django import Settings

from loadtest.common.waiting import wait_until
from tests.support.files import MakeFile
from tests.uploads.fake_sandbox import FakeSandbox
from tests.uploads.outcomes import outcome
from uploads.models import File, Sender, Status
from uploads.processing import turns, worker
from uploads.processors.base import Result, Unprocessable

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]

SLOW, QUICK = 10.0, 1.0
Serve = Callable[[], str]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Processes the next file, which takes as long as its name says; returns whose it was."""

    def serve() -> str:
        file = turns.claim_next()
        assert file
        File.objects.filter(pk=file.pk).update(status=Status.PROCESSED)
        turns.settle(file, SLOW if file.name == "slow" else QUICK)
        return file.sender

    return serve


def send(make_file: MakeFile, sender: str, count: int, name: str = "quick") -> None:
    body = make_file(status=Status.PROCESSED)
    File.objects.bulk_create(
        File(name=name, size=1, file=str(body.file), sender=sender) for _ in range(count)
    )


def test_a_thousand_slow_files_of_one_keep_anothers_waiting_for_one(
    make_file: MakeFile, serve: Serve
) -> None:
    send(make_file, "many", 1000, "slow")
    assert [serve(), serve()] == ["many"] * 2
    send(make_file, "another", 10)

    assert [serve() for _ in range(10)] == ["another"] * 10


def test_senders_share_the_time_and_not_the_number(make_file: MakeFile, serve: Serve) -> None:
    send(make_file, "films", 30, "slow")
    send(make_file, "texts", 100)

    served = Counter(serve() for _ in range(44))

    assert served["films"] in (4, 5)


def test_who_has_files_in_work_comes_after_who_has_none(make_file: MakeFile) -> None:
    send(make_file, "a", 3)
    send(make_file, "b", 3)

    claimed = [turns.claim_next() for _ in range(4)]

    assert [file.sender for file in claimed if file] == ["a", "b", "a", "b"]


def test_files_at_once_are_charged_as_they_would_be_one_after_the_other(
    make_file: MakeFile,
) -> None:
    send(make_file, "a", 20)
    for _ in range(10):
        pair = [turns.claim_next() for _ in range(2)]
        for file in pair:
            assert file
            File.objects.filter(pk=file.pk).update(status=Status.PROCESSED)
            turns.settle(file, QUICK)

    assert Sender.objects.get().spent == 20 * QUICK
    assert turns.present_level() <= 20 * QUICK


def test_who_was_away_saves_up_no_time(make_file: MakeFile, serve: Serve) -> None:
    send(make_file, "old", 1)
    serve()
    send(make_file, "busy", 50, "slow")
    for _ in range(5):
        serve()
    send(make_file, "old", 50)
    send(make_file, "new", 50)

    served = Counter(serve() for _ in range(30))

    assert abs(served["old"] - served["new"]) <= 2


def test_within_a_sender_the_oldest_is_first_and_what_failed_twice_is_last(
    make_file: MakeFile,
) -> None:
    """What has failed once may have been in work when its worker was killed."""
    suspect, interrupted, new = (make_file(sender="a", attempts=n) for n in (2, 1, 0))

    claimed = [turns.claim_next() for _ in range(3)]

    assert claimed == [interrupted, new, suspect]
    assert turns.claim_next() is None


def test_what_takes_long_is_left_to_the_other_threads(
    make_file: MakeFile, sandbox: FakeSandbox, settings: Settings
) -> None:
    settings.UPLOADS_SHORT_SECONDS = 0.01
    slow, quick = make_file(sender="a"), make_file(b"quick", sender="b")

    def process(path: Path) -> Result:
        if sandbox.seconds[-1] is None or path.read_bytes() == b"quick":
            return Result()
        threading.Event().wait(0.02)
        raise Unprocessable("Processing takes more than 1 s.")

    sandbox.process = process
    with turns.places.place() as may_take_long:
        assert may_take_long
        while worker.process_next():
            pass

    assert outcome(slow) == (Status.RECEIVED, 0, "")
    assert slow.is_slow
    assert outcome(quick) == (Status.PROCESSED, 1, "")
    assert sandbox.seconds == [0.01, 0.01]
    assert worker.process_next()
    assert outcome(slow) == (Status.PROCESSED, 1, "")
    assert sandbox.seconds[-1] is None


def test_half_of_the_threads_take_no_slow_file(
    make_file: MakeFile,
    sandbox: FakeSandbox,
    transactional_db: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All slow files are held; the threads that are left process everything else."""
    monkeypatch.setattr(turns, "places", turns.Places(4))
    held = threading.Event()
    slow = [make_file(b"slow", sender="many", is_slow=True) for _ in range(6)]
    texts = [make_file(b"text", sender="another") for _ in range(12)]

    def process(path: Path) -> Result:
        if path.read_bytes() == b"slow":
            assert held.wait(30)
        return Result()

    def texts_are_done() -> bool:
        return File.objects.filter(sender="another", processed=True).count() == len(texts)

    def drain(number: int) -> None:
        while not texts_are_done():
            worker.process_next()
        connections.close_all()

    sandbox.process = process
    with ThreadPoolExecutor(4) as threads:
        drained = threads.map(drain, range(4))
        try:
            wait_until(texts_are_done)
            assert File.objects.filter(sender="many", status=Status.PROCESSING).count() <= 2
        finally:
            held.set()
        list(drained)

    while worker.process_next():
        pass
    assert {outcome(file) for file in (*slow, *texts)} == {(Status.PROCESSED, 1, "")}


def test_of_who_sends_only_slow_files_none_holds_a_short_place(
    make_file: MakeFile, serve: Serve
) -> None:
    send(make_file, "many", 4, "slow")
    send(make_file, "other", 1)
    assert turns.claim_next(may_take_long=False)
    serve(), serve(), serve()

    assert turns.claim_next(may_take_long=False) is None
    Sender.objects.update(slow=0)
    assert turns.claim_next(may_take_long=False)


def test_one_quick_file_ends_the_suspicion(make_file: MakeFile, serve: Serve) -> None:
    send(make_file, "a", 3, "slow")
    for _ in range(3):
        serve()
    send(make_file, "a", 2)
    assert turns.claim_next(may_take_long=False) is None

    serve()

    assert turns.claim_next(may_take_long=False)


def test_senders_that_are_no_further_than_newcomers_are_forgotten(
    make_file: MakeFile, serve: Serve
) -> None:
    for sender in ("a", "b", "c"):
        send(make_file, sender, 1, "slow")
        serve()
    send(make_file, "d", 2)
    for _ in range(2):
        serve()
    before = turns.present_level()

    turns.forget_idle()

    assert turns.present_level() == before
    assert set(Sender.objects.filter(spent__lte=before, started__lt=before)) == set()
