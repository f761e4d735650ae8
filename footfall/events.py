"""The event `Viewed`, one view of one or more targets: how its body is written and read, and
why one is not counted."""

import json
from collections.abc import Collection, Container, Mapping
from enum import StrEnum

VERSION = 1
BIGINT = 2**63
EARLIEST, LATEST = 946_684_800_000, 7_258_118_400_000  # 2000 and 2200, in ms since 1970


class DeadLetterReason(StrEnum):
    """Why an event becomes a dead letter, as operators read it: `{}` stands for what was found.

    `DropReason` has the reasons for which a batch does not count an event.
    """

    NOT_JSON = "not JSON: {}"
    NOT_A_VIEW = "not a view"
    UNKNOWN_VERSION = "unknown version {!r:.40}"
    NO_TARGETS = "names no targets"
    UNKNOWN_MODEL = "no countable model {!r:.100}"
    NO_IDS = "names no ids of {}"
    INVALID_ID = "not an id of {}: {!r:.60}"
    DUPLICATE_ID = "names an id of {} twice"
    INVALID_TIME = "happened at {}, which is out of range"
    FOREIGN = "not an entry that this service has made"
    TOO_OLD = "from so long ago that it is not known any more whether it was counted"


class DropReason(StrEnum):
    """A key of `Batch.dropped`, and the label `reason` of the metric `footfall_dropped_events`.

    For DEAD_LETTER, `DeadLetterReason` says why.
    """

    ALREADY_COUNTED = "already_counted"
    COUNTED_FROM_LOG = "counted_from_log"
    """The spilled copy of an event that was counted from the log."""
    COUNTED_FROM_SPILL = "counted_from_spill"
    """The entry of an event whose spilled copy was counted."""
    DEAD_LETTER = "dead_letter"
    TARGET_DELETED = "target_deleted"
    COUNTER_FULL = "counter_full"
    """Views of a target whose counter has reached the highest number of its column."""


class Malformed(Exception):
    """The event cannot be counted; the message says why, for operators."""

    def __init__(self, reason: DeadLetterReason, *found: object) -> None:
        super().__init__(reason.format(*found))


def encode(ids: Mapping[str, Collection[int]]) -> bytes:
    """Return the body of one view of every target in `ids`: {"pages.content": {1, 2}}.

    The same targets give the same bytes, so the flush decodes them once for all their views.
    """
    targets = {label: sorted(set(ids[label])) for label in sorted(ids)}
    event = {"type": "Viewed", "v": VERSION, "ids": targets}
    return json.dumps(event, separators=(",", ":")).encode()


def decode(body: bytes, countable: Container[str]) -> dict[str, list[int]]:
    """Return the ids by label; raise Malformed for anything that is not a countable view."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(DeadLetterReason.NOT_JSON, type(error).__name__) from error
    if not isinstance(event, dict) or event.get("type") != "Viewed":
        raise Malformed(DeadLetterReason.NOT_A_VIEW)
    if event.get("v") != VERSION:
        raise Malformed(DeadLetterReason.UNKNOWN_VERSION, event.get("v"))
    targets = event.get("ids")
    if not isinstance(targets, dict) or not targets:
        raise Malformed(DeadLetterReason.NO_TARGETS)
    return {label: _ids(label, ids, countable) for label, ids in targets.items()}


def _ids(label: str, ids: object, countable: Container[str]) -> list[int]:
    if label not in countable:
        raise Malformed(DeadLetterReason.UNKNOWN_MODEL, label)
    if not isinstance(ids, list) or not ids:
        raise Malformed(DeadLetterReason.NO_IDS, label)
    for one in ids:
        if type(one) is not int or not 0 < one < BIGINT:
            raise Malformed(DeadLetterReason.INVALID_ID, label, one)
    if len(set(ids)) != len(ids):
        raise Malformed(DeadLetterReason.DUPLICATE_ID, label)
    return ids


def check_time(at: int) -> None:
    """Raise Malformed for a time (ms since 1970) outside of 2000 to 2200."""
    if not EARLIEST <= at < LATEST:
        raise Malformed(DeadLetterReason.INVALID_TIME, at)
