"""From what was read to events to store and dead letters. Uses neither Redis nor the database."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from footfall.events import (
    MAX_BODY_BYTES,
    MAX_META_BYTES,
    DeadLetterReason,
    Malformed,
    decode,
    malformed_metas,
    normalize,
)
from footfall.identity import Moment
from footfall.ingest.claims import Claim
from footfall.ingest.producer_states import Kept, ProducerStates
from footfall.ingest.times import plausible, plausible_times
from footfall.models import DeadLetter, Spilled
from footfall.store.builder import EventsBuilder
from footfall.store.segment import NO_SEQUENCE, Events

NO_ID = (0, NO_SEQUENCE)
"""Producer id and sequence, in the store, of an event without an id."""


class NewEvents(NamedTuple):
    """Events of one partition that were not stored before, as columns of equal length."""

    partition: int
    producer_ids: Sequence[int]
    sequences: Sequence[int]
    ats: Sequence[int]
    bodies: Sequence[bytes]
    metas: Sequence[bytes]
    letter_ids: Sequence[int | None] = ()
    """Of dead letters that are replayed; empty for entries of the log."""


class Decoded(NamedTuple):
    """New events, decoded."""

    countable: Sequence[NewEvents]
    targets: Mapping[bytes, dict[str, list[int]]]
    """What was viewed, by body."""
    malformed: list[DeadLetter]
    """Those that cannot be counted."""
    keyed: int = 0
    """How many had the key of a client."""


def deduplicate(
    claims: Sequence[Claim], states: ProducerStates, moment: Moment
) -> tuple[list[NewEvents], list[DeadLetter]]:
    """Return the events that were not stored before, and the entries that are no events.

    Entries come before the spill: the states advance in the order of the log.
    """
    new: list[NewEvents] = []
    dead_letters: list[DeadLetter] = []
    for claim in claims:
        read = claim.entries
        accepted = states.accept(read, claim.number, Kept.of(claim.partition, moment.day))
        ats = plausible_times(read.ats, read.ids, moment.now_ms)
        all_read = NewEvents(
            claim.number, read.producer_ids, read.sequences, ats, read.bodies, read.metas
        )
        if accepted.new:
            new.append(selected(all_read, accepted.new))
        for indexes, reason in (
            (accepted.foreign, DeadLetterReason.FOREIGN),
            (accepted.too_old, DeadLetterReason.TOO_OLD),
        ):
            for i in indexes:
                letter = _dead_letter(all_read, i, reason)
                letter.entry_id = letter.entry_id or read.ids[i].decode()
                dead_letters.append(letter)
        if spilled := [row for row in claim.spilled if _is_new(row, states)]:
            new.append(_spilled(claim.number, spilled, moment.now_ms))
    return new, dead_letters


def _is_new(row: Spilled, states: ProducerStates) -> bool:
    """Tell whether a spilled event counts; a replayed dead letter always does."""
    if row.event_id is None or row.letter_id is not None:
        return True
    return states.accept_spilled(row.event_id, row.partition)


def _spilled(partition: int, rows: Sequence[Spilled], now: int) -> NewEvents:
    producer_ids, sequences = zip(*(row.event_id or NO_ID for row in rows), strict=True)
    return NewEvents(
        partition,
        producer_ids,
        sequences,
        [_time_of(row, now) for row in rows],
        [bytes(row.body) for row in rows],
        [bytes(row.meta or b"") for row in rows],
        [row.letter_id for row in rows],
    )


def _time_of(row: Spilled, now: int) -> int:
    if row.letter_id is not None:  # it happened long before it was replayed
        return plausible(row.at, row.at, now)
    return plausible(row.at, int(row.inserted_at.timestamp() * 1000), now)


def _dead_letter(some: NewEvents, index: int, reason: str) -> DeadLetter:
    """Return a letter of one of the events. With a key it is one that was replayed before."""
    event_id = some.producer_ids[index], some.sequences[index]
    letter = DeadLetter(
        partition=some.partition,
        at=some.ats[index],
        body=some.bodies[index][:MAX_BODY_BYTES],
        meta=some.metas[index][:MAX_META_BYTES],
        reason=storable(reason),
    )
    if event_id[1] >= 0:
        letter.producer_id, letter.sequence = event_id
        letter.entry_id = "{}:{}".format(*event_id)
    if some.letter_ids:
        letter.pk = some.letter_ids[index]
    return letter


def storable(reason: str) -> str:
    """Return a text as a column can have it: PostgreSQL takes no NUL, and UTF-8 no surrogates."""
    text = reason.encode(errors="backslashreplace").decode()
    return text.replace("\0", "\\0")[:200]


def decode_events(new: Sequence[NewEvents], condemned: str = "") -> Decoded:
    """Tell the events that can be counted from the others.

    Events with the same targets have the same body: each distinct body is decoded once. A body of
    version 1 becomes one of version 2. condemned: why all of them become dead letters.
    """
    targets: dict[bytes, dict[str, list[int]]] = {}
    upgraded: dict[bytes, bytes] = {}
    reasons: dict[bytes, str] = {}
    for body in {body for some in new for body in some.bodies}:
        try:
            if condemned:
                reasons[body] = condemned
                continue
            stored = normalize(body)
            targets[stored] = decode(stored)
        except Malformed as malformed:
            reasons[body] = str(malformed)
        else:
            if stored != body:
                upgraded[body] = stored
    metas = malformed_metas([*chain.from_iterable(some.metas for some in new)])
    countable: list[NewEvents] = []
    dead_letters: list[DeadLetter] = []
    for some in new:
        good, malformed_ones = _divided(some, reasons, metas)
        dead_letters += malformed_ones
        if upgraded:
            good = good._replace(bodies=[upgraded.get(body, body) for body in good.bodies])
        countable.append(good)
    return Decoded(countable, targets, dead_letters)


def build(decoded: Decoded) -> Events:
    """Return the events that can be counted as the store takes them."""
    builder = EventsBuilder()
    for some in decoded.countable:
        builder.add(*some[:6])
    events = builder.events()
    events.targets = [decoded.targets[body] for body in events.bodies]
    return events


def _divided(
    some: NewEvents, bodies: Mapping[bytes, str], metas: Mapping[bytes, str]
) -> tuple[NewEvents, list[DeadLetter]]:
    """Return the events that can be counted, and dead letters for the others.

    bodies, metas: why events with these cannot. Most batches have only good events.
    """
    if not bodies and not metas:
        return some, []
    good: list[int] = []
    dead_letters = []
    for i, (body, meta) in enumerate(zip(some.bodies, some.metas, strict=True)):
        if reason := bodies.get(body) or metas.get(meta):
            dead_letters.append(_dead_letter(some, i, reason))
        else:
            good.append(i)
    return selected(some, good), dead_letters


def selected(some: NewEvents, indexes: Sequence[int]) -> NewEvents:
    if len(indexes) == len(some.ats):
        return some
    columns: Any = ([column[i] for i in indexes] for column in some[1:] if column)
    return NewEvents(some.partition, *columns)
