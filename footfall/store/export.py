"""Kept events as JSON lines: `manage.py counters events`."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from io import TextIOBase
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from footfall.events import BIGINT, Malformed, decode, decode_meta, id_of, viewed
from footfall.models import Segment
from footfall.registry import countable_models, id_in, is_keyed
from footfall.store.read import scan
from footfall.store.segment import NO_SEQUENCE, Events

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Target(NamedTuple):
    """One viewed object."""

    label: str
    """`"pages.content"`."""
    ids: frozenset[int]
    """One; of a model that is not known here, all that its key may have."""


def time(text: str) -> int:
    """Return an ISO date or time, UTC unless it says another zone, as ms since 1970.

    Raises ValueError.
    """
    at = datetime.fromisoformat(text)
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) // timedelta(milliseconds=1)


def target(text: str) -> Target:
    """Parse `pages.content:7`. Raises ValueError or ValidationError."""
    label, _, pk = text.partition(":")
    if label.count(".") != 1 or not pk:
        raise ValueError(f"{text!r} is not a model and a key")
    model = countable_models().get(label.lower())
    if model is None:
        return Target(label.lower(), frozenset(_possible_ids(pk)))
    return Target(label.lower(), frozenset([id_in(model, pk) if is_keyed(model) else int(pk)]))


def _possible_ids(pk: str) -> Iterator[int]:
    """Yield the ids that a key may have whose model was removed: it may be of any kind."""
    yield id_of(pk)
    with suppress(ValueError):
        yield id_of(str(UUID(pk)))
    with suppress(ValueError):
        yield int(pk)


@dataclass
class Export:
    """Chooses kept events: those that happened in [since, until), in ms since 1970, of a target."""

    since: int | None = None
    until: int | None = None
    target: Target | None = None
    tell: Callable[[str], object] = print
    """Called with a line for each segment that cannot be read, or not all of it."""
    is_complete: bool = True
    """False once `tell` was called."""

    def write(self, out: TextIOBase) -> None:
        """Write a line for each event, in the order of the store, while others append and compact.

        Returns quietly if the reader of `out` has gone.
        """
        try:
            for segment, events in scan(self.since, self.until):
                out.writelines(self.lines(segment, events))
            out.flush()
        except BrokenPipeError:
            # Python flushes it once more when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())

    def lines(self, segment: Segment, events: Events) -> Iterator[str]:
        """Yield a line for each chosen event of a segment."""
        if segment.corrupt_at:
            self._unreadable(segment, f"corrupt, {segment.events} events cannot be read")
            return
        targets = self._texts(segment, events.bodies, self._targets)
        metas = self._texts(segment, events.metas, _meta)
        since = 0 if self.since is None else self.since
        until = BIGINT if self.until is None else self.until
        columns = (events.at, events.producer, events.sequence, events.body, events.meta)
        rows = zip(*columns, strict=True)
        for run in events.runs:
            for at, producer, sequence, body, meta in islice(rows, run.events):
                if since <= at < until and body in targets:
                    event_id = (events.producer_ids[producer], sequence)
                    yield (
                        f'{{"at": "{_second(at // 1000)}.{at % 1000:03}Z"'
                        f', "partition": {run.partition}, {_event_id(*event_id)}'
                        f', "targets": {targets[body]}{metas.get(meta, "")}}}\n'
                    )

    def _texts(
        self, segment: Segment, values: Iterable[bytes], text_of: Callable[[bytes], str]
    ) -> dict[int, str]:
        """Return the text of each value by its index, without empty ones."""
        found: dict[int, str] = {}
        for index, value in enumerate(values):
            try:
                if text := text_of(value):
                    found[index] = text
            except Malformed as error:
                self._unreadable(segment, str(error))
        return found

    def _targets(self, body: bytes) -> str:
        """Return what was viewed; nothing if the wanted target was not."""
        targets = decode(body)
        if self.target and self.target.ids.isdisjoint(targets.get(self.target.label, ())):
            return ""
        return json.dumps(viewed(body))

    def _unreadable(self, segment: Segment, reason: str) -> None:
        self.is_complete = False
        self.tell(f"segment {segment}: {reason}")


def _event_id(producer_id: int, sequence: int) -> str:
    if sequence == NO_SEQUENCE:
        return '"producer_id": null, "sequence": null'
    return f'"producer_id": {producer_id}, "sequence": {sequence}'


def _meta(meta: bytes) -> str:
    """Return what is known, in hexadecimal: JSON has no integers of 64 bits."""
    facts = decode_meta(meta)._asdict().items()
    known = {
        name: fact.hex() if isinstance(fact, bytes) else f"{fact:016x}"
        for name, fact in facts
        if fact
    }
    return f', "meta": {json.dumps(known)}' if known else ""


@lru_cache(1_000)  # consecutive events are often of the same second
def _second(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
