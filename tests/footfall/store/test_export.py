"""`manage.py counters events`: kept events as JSON lines."""

import json
import os
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from footfall import events
from footfall.events import Meta, encode_meta, id_of
from footfall.models import Segment
from footfall.store import export
from footfall.store.export import Export
from tests.support.store import Stored, numbered, store
from tests.support.views import AT, HOUR

pytestmark = pytest.mark.django_db


def exported(*options: str) -> list[Any]:
    out = StringIO()
    call_command("counters", "events", *options, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_is_a_line_of_json() -> None:
    meta = encode_meta(Meta(visitor=2**63 + 1, trace=bytes(15) + b"\1"))
    body = events.encode({"pages.content": [3, 1], "pages.page": [2**62]})
    store([Stored(3, 2**62, 5, AT + 7, body, meta)], [Stored(1, 0, -1, AT - 1)])

    assert exported() == [
        {
            "at": "2025-11-21T00:00:00.007Z",
            "partition": 3,
            "producer_id": 2**62,
            "sequence": 5,
            "targets": {"pages.content": [1, 3], "pages.page": [2**62]},
            "meta": {"visitor": "8000000000000001", "trace": f"{1:032x}"},
        },
        {
            "at": "2025-11-20T23:59:59.999Z",
            "partition": 1,
            "producer_id": None,
            "sequence": None,
            "targets": {"pages.content": [1]},
        },
    ]


def test_events_come_in_the_order_of_the_store() -> None:
    store(numbered(3), numbered(2, start=9, partition=1))
    store(numbered(2, start=3))

    assert [line["sequence"] for line in exported()] == [0, 1, 2, 9, 10, 3, 4]


@pytest.mark.parametrize(
    ("options", "hours"),
    [
        ((), [0, 1, 23, 24, 25]),
        (("--since", "2025-11-22"), [24, 25]),
        (("--until", "2025-11-22"), [0, 1, 23]),
        (("--since", "2025-11-21T01:00", "--until", "2025-11-22T00:00:00.001Z"), [1, 23, 24]),
        (("--since", "2025-11-21T01:00:00+02:00", "--until", "2025-11-21T03:30+03:00"), [0]),
        (("--since", "2026-01-01"), []),
        (("--until", "1970-01-01"), []),
    ],
)
def test_events_of_a_time_are_chosen(options: tuple[str, ...], hours: list[int]) -> None:
    store([Stored(sequence=hour, at=AT + hour * HOUR) for hour in (0, 1, 23, 24, 25)])

    assert [line["sequence"] for line in exported(*options)] == hours


def test_views_of_one_target_are_chosen() -> None:
    for sequence, ids in enumerate(([7], [1, 7, 9], [77], [8])):
        body = events.encode({"pages.content": ids, "pages.page": [7]})
        store([Stored(sequence=sequence, body=body)])

    assert [line["sequence"] for line in exported("--target", "pages.content:7")] == [0, 1]
    assert [line["sequence"] for line in exported("--target", "Pages.Page:7")] == [0, 1, 2, 3]
    assert not exported("--target", "news.article:7")


@pytest.mark.parametrize("key", ["2f9c0e5c-7d0e-4b56-9e6a-0d1c5a4e8b11", "a slug", "7"])
def test_views_of_a_model_that_was_removed_are_chosen_by_any_key(key: str) -> None:
    for sequence, name in enumerate((key, "another")):
        body = events.encode({"news.article": [id_of(name)]}, {"news.article": {id_of(name): name}})
        store([Stored(sequence=sequence, body=body)])

    for text in {key, key.replace("-", "").upper() if "-" in key else key}:
        (line,) = exported("--target", f"news.article:{text}")
        assert line["targets"] == {"news.article": [key]}


@pytest.mark.parametrize(
    "wrong",
    [
        ("--since", "yesterday"),
        ("--target", "7"),
        ("--target", "news.article:"),
        ("--target", "pages.content:x"),
    ],
)
def test_what_is_not_understood_is_refused(wrong: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match="invalid"):
        exported(*wrong)


def test_segments_of_another_time_are_not_decoded() -> None:
    store([Stored(at=AT)])
    store([Stored(at=AT + HOUR)])
    Segment.objects.filter(number=1).update(data=b"?")

    assert len(exported("--since", "2025-11-21T01:00")) == 1
    assert not Segment.objects.exclude(corrupt_at=None).exists()


def test_a_corrupt_segment_is_named_and_the_rest_is_there() -> None:
    for n in range(3):
        store(numbered(2, start=2 * n))
    Segment.objects.filter(number=2).update(data=b"?")

    for _ in range(2):
        out, err = StringIO(), StringIO()
        with pytest.raises(CommandError, match="cannot be read") as error:
            call_command("counters", "events", stdout=out, stderr=err)

        assert error.value.returncode == 1
        assert err.getvalue() == "segment 2: corrupt, 2 events cannot be read\n"
        assert len(out.getvalue().splitlines()) == 4


def test_an_event_that_this_version_does_not_know_is_named() -> None:
    store([Stored(body=b"\xff?", sequence=1), Stored(sequence=2)])
    out, err = StringIO(), StringIO()

    with pytest.raises(CommandError, match="cannot be read"):
        call_command("counters", "events", stdout=out, stderr=err)

    assert err.getvalue().startswith("segment 1: ")
    assert [json.loads(line)["sequence"] for line in out.getvalue().splitlines()] == [2]


def test_it_ends_quietly_when_its_reader_has_gone() -> None:
    store(numbered(10_000))
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out:
        os.close(reading)
        Export().write(out)


def test_time_without_a_zone_is_utc() -> None:
    assert export.time("1970-01-01") == 0
    assert export.time("1970-01-02T00:00:00.005+01:00") == 23 * HOUR + 5
