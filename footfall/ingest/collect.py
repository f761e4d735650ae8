"""From what was read to events to store and dead letters. Uses neither Redis nor the database."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from footfall.events import (
    EARLIEST,
    LATEST,
    MAX_BODY_BYTES,
    DeadLetterReason,
    Malformed,
    check_time,
    decode,
    decode_meta,
    normalize,
)
from footfall.ingest.claims import Claim
from footfall.ingest.producer_states import ProducerStates
from footfall.models import DeadLetter
from footfall.store.builder import EventsBuilder
from footfall.store.segment import NO_SEQUENCE, Events


class NewEvents(NamedTuple):
    """Events of one partition that were not stored before, as columns of equal length."""

    partition: int
    producer_ids: Sequence[int]
    sequences: Sequence[int]
    ats: Sequence[int]
    bodies: Sequence[bytes]
    metas: Sequence[bytes]


def deduplicate(
    claims: Sequence[Claim], states: ProducerStates
) -> tuple[list[NewEvents], list[DeadLetter]]:
    """Return the events that were not stored before, and the entries that are no events.

    Entries come before the spill: the states advance in the order of the log.
    """
    new: list[NewEvents] = []
    dead_letters: list[DeadLetter] = []
    for claim in claims:
        since = claim.partition.states_since
        accepted = states.accept(
            claim.entries, claim.number, int(since.timestamp() * 1000) if since else 0
        )
        if accepted.new:
            new.append(_selected(_all_of(claim), accepted.new))
        for indexes, reason in (
            (accepted.foreign, DeadLetterReason.FOREIGN),
            (accepted.too_old, DeadLetterReason.TOO_OLD),
        ):
            dead_letters += _unidentified(claim, indexes, reason)
        spilled = [
            row
            for row in claim.spilled
            if row.event_id is None or states.accept_spilled(row.event_id, claim.number)
        ]
        if spilled:
            ids = [row.event_id or (0, NO_SEQUENCE) for row in spilled]
            producer_ids, sequences = zip(*ids, strict=True)
            bodies, metas = (
                [bytes(row.body) for row in spilled],
                [bytes(row.meta or b"") for row in spilled],
            )
            ats = [row.at for row in spilled]
            new.append(NewEvents(claim.number, producer_ids, sequences, ats, bodies, metas))
    return new, dead_letters


def _all_of(claim: Claim) -> NewEvents:
    read = claim.entries
    return NewEvents(
        claim.number, read.producer_ids, read.sequences, read.ats, read.bodies, read.metas
    )


def _unidentified(claim: Claim, indexes: Sequence[int], reason: str) -> Iterator[DeadLetter]:
    read = claim.entries
    for i in indexes:
        event = (read.ats[i], read.bodies[i], read.metas[i])
        letter = _dead_letter(claim.number, *event, reason)
        letter.entry_id = read.ids[i].decode()
        yield letter


def _dead_letter(partition: int, at: int, body: bytes, meta: bytes, reason: str) -> DeadLetter:
    return DeadLetter(
        partition=partition, at=at, body=body[:MAX_BODY_BYTES], meta=meta, reason=reason[:200]
    )


def decode_events(new: Sequence[NewEvents]) -> tuple[Events, list[DeadLetter]]:
    """Return the events to store, and dead letters for those that cannot be counted.

    Events with the same targets have the same body: each distinct body is decoded once. A body of
    version 1 is stored as version 2.
    """
    targets: dict[bytes, dict[str, list[int]]] = {}
    upgraded: dict[bytes, bytes] = {}
    reasons: dict[bytes, str] = {}
    for body in {body for some in new for body in some.bodies}:
        try:
            stored = normalize(body)
            targets[stored] = decode(stored)
        except Malformed as malformed:
            reasons[body] = str(malformed)
        else:
            if stored != body:
                upgraded[body] = stored
    builder = EventsBuilder()
    dead_letters: list[DeadLetter] = []
    for some in new:
        good, malformed_ones = _divided(some, reasons)
        dead_letters += malformed_ones
        if upgraded:
            good = good._replace(bodies=[upgraded.get(body, body) for body in good.bodies])
        if good.ats:
            builder.add(*good)
    events = builder.events()
    events.targets = [targets[body] for body in events.bodies]
    return events, dead_letters


def _divided(some: NewEvents, reasons: Mapping[bytes, str]) -> tuple[NewEvents, list[DeadLetter]]:
    """Return the events that can be counted, and dead letters for the others.

    reasons: by body. Most batches have only good events, which costs three looks at the columns.
    """
    in_time = min(some.ats) >= EARLIEST and max(some.ats) < LATEST
    if in_time and not reasons and not any(some.metas):
        return some, []
    good: list[int] = []
    dead_letters = []
    for i, (at, body, meta) in enumerate(zip(some.ats, some.bodies, some.metas, strict=True)):
        if reason := reasons.get(body) or _reason(at, meta):
            dead_letters.append(_dead_letter(some.partition, at, body, meta, reason))
        else:
            good.append(i)
    return _selected(some, good), dead_letters


def _reason(at: int, meta: bytes) -> str:
    """Return why an event with this time and metadata cannot be counted; "" if it can."""
    try:
        check_time(at)
        decode_meta(meta)
    except Malformed as malformed:
        return str(malformed)
    return ""


def _selected(some: NewEvents, indexes: Sequence[int]) -> NewEvents:
    if len(indexes) == len(some.ats):
        return some
    columns: Any = ([column[i] for i in indexes] for column in some[1:])
    return NewEvents(some.partition, *columns)
