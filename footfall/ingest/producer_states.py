"""The producer states of an ingest: what was stored before, and what is stored now."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.utils import timezone

from footfall import sql
from footfall.eventlog import Columns, EventId
from footfall.eventlog.entries import NO_PRODUCER
from footfall.events import DropReason
from footfall.ingest.claims import Claim
from footfall.models import ProducerState
from footfall.sql.batch import Move
from footfall.store.segment import NO_SEQUENCE


class Accepted(NamedTuple):
    """The entries of a partition that were not stored before, by their indexes."""

    new: list[int]
    foreign: list[int]
    """Entries without an event id: the unique entry id of a dead letter deduplicates them."""
    too_old: list[int]
    """Entries from before the states that are kept, without a state of their producer. The log was
    restored from an older backup, so it is unknown whether they were stored."""


class ProducerStates:
    """The states of an ingest's producers: loaded once, advanced in memory, written at the end.

    The partitions must be claimed. Every event is accepted or dropped as it advances them.
    """

    def __init__(self, stored: Iterable[ProducerState]) -> None:
        self._stored: dict[tuple[int, int], tuple[int, int | None]] = {}
        # By partition, then by producer id.
        self._sequences: dict[int, dict[int, int]] = defaultdict(dict)
        self._spilled: dict[int, dict[int, int | None]] = defaultdict(dict)
        for state in stored:
            key = state.producer_id, state.partition
            self._stored[key] = state.sequence, state.spilled
            self._sequences[state.partition][state.producer_id] = state.sequence
            if state.spilled is not None:
                self._spilled[state.partition][state.producer_id] = state.spilled
        self.dropped: dict[int, Counter[DropReason]] = defaultdict(Counter)
        """By partition."""

    def accept(self, entries: Columns, partition: int, states_since: int = 0) -> Accepted:
        """Advance the states of a partition by `entries`.

        states_since: since when (ms since 1970) the states of all producers are kept.
        """
        sequences, spilled = self._sequences[partition], self._spilled[partition]
        accepted = Accepted([], [], [])
        dropped = self.dropped[partition]
        known, accept = sequences.get, accepted.new.append
        for i, (producer_id, sequence) in enumerate(
            zip(entries.producer_ids, entries.sequences, strict=True)
        ):
            state = known(producer_id)
            if state is None:  # at most once for each producer, or for a foreign or old entry
                if producer_id == NO_PRODUCER:
                    accepted.foreign.append(i)
                    continue
                if _is_older(entries, i, states_since):
                    accepted.too_old.append(i)
                    continue
            elif sequence <= state:
                dropped[DropReason.ALREADY_COUNTED] += 1
                continue
            sequences[producer_id] = sequence
            if spilled and sequence == spilled.get(producer_id):
                dropped[DropReason.COUNTED_FROM_SPILL] += 1
                continue
            accept(i)
        return accepted

    def accept_spilled(self, event_id: EventId, partition: int) -> bool:
        """Note a spilled event that has an id; return False if it was stored before."""
        producer_id, sequence = event_id
        known = self._sequences[partition].get(producer_id, NO_SEQUENCE)
        spilled = self._spilled[partition]
        if sequence <= known or sequence == spilled.get(producer_id):
            self.dropped[partition][DropReason.COUNTED_FROM_LOG] += 1
            return False
        spilled[producer_id] = sequence
        return True

    def save(self) -> None:
        """Write the states that have changed. Raises sql.Conflict if another process did so too."""
        now = timezone.now()
        added: list[ProducerState] = []
        moves: list[Move] = []
        for partition in self._sequences.keys() | self._spilled.keys():
            sequences, spilled = self._sequences[partition], self._spilled[partition]
            for producer_id in sequences.keys() | spilled.keys():
                before = self._stored.get((producer_id, partition))
                after = sequences.get(producer_id, NO_SEQUENCE), spilled.get(producer_id)
                if before is None:
                    state = ProducerState(producer_id=producer_id, partition=partition)
                    state.sequence, state.spilled = after
                    state.updated_at = now
                    added.append(state)
                elif before != after:
                    moves.append(Move(producer_id, partition, before[0], *after))
        ProducerState.objects.bulk_create(added)
        sql.move_producer_states(moves, now)


def _is_older(entries: Columns, index: int, since: int) -> bool:
    """Require the web server's and Redis' time: one web server's clock may be wrong."""
    appended_at = int(entries.ids[index].partition(b"-")[0])
    return entries.ats[index] < since and appended_at < since


def load_producer_states(claims: Sequence[Claim]) -> ProducerStates:
    """Load the states of every producer that the claims name."""
    producer_ids: set[int] = set()
    for claim in claims:
        producer_ids.update(claim.entries.producer_ids)
        producer_ids |= {row.producer_id for row in claim.spilled if row.producer_id is not None}
    partitions = [claim.number for claim in claims if claim.entries or claim.spilled]
    stored = ProducerState.objects.filter(producer_id__in=producer_ids, partition__in=partitions)
    return ProducerStates(stored)
