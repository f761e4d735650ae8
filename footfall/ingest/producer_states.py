"""The producer states of an ingest: what was stored before, and what is stored now."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from footfall import sql
from footfall.eventlog import Columns, EventId
from footfall.eventlog.entries import NO_PRODUCER, UNKNOWN_DAY, day_of
from footfall.events import DropReason
from footfall.identity import HOURS_PER_DAY, Moment
from footfall.ingest.claims import Claim
from footfall.models import Partition, ProducerState
from footfall.sql.batch import Move
from footfall.store.segment import NO_SEQUENCE

UNSEEN = NO_PRODUCER - 2
"""Stands for the state of a producer that has none: no sequence follows it."""


class Accepted(NamedTuple):
    """The entries of a partition that were not stored before, by their indexes."""

    new: list[int]
    foreign: list[int]
    """Entries without an event id: the unique entry id of a dead letter deduplicates them."""
    too_old: list[int]
    """Entries from before the states that are kept, without a state of their producer. The log was
    restored from an older backup, so it is unknown whether they were stored."""


class Kept(NamedTuple):
    """Of which producers the states of a partition are kept."""

    since: int = 0
    """States from before then (ms since 1970) may have been removed; 0: all are kept."""
    epoch: int | None = None
    """The same as an epoch."""
    today: int = 0
    """The present day of the database."""

    @classmethod
    def of(cls, partition: Partition, today: int) -> "Kept":
        since = partition.states_since
        return cls(int(since.timestamp() * 1000) if since else 0, partition.states_epoch, today)

    def is_too_old(self, entries: Columns, index: int) -> bool:
        """Tell whether the state of an entry's producer may have been removed.

        Its producer, its web server and Redis must agree: each of their clocks may be wrong.
        """
        appended_at = int(entries.ids[index].partition(b"-")[0])
        if not (entries.ats[index] < self.since and appended_at < self.since):
            return False
        producer_id = entries.producer_ids[index]
        return self._may_be_removed(producer_id) or not self._is_known(producer_id)

    def has_all(self, producer_id: int) -> bool:
        """Tell whether this producer's state is there if it ever was."""
        if self._is_known(producer_id):
            return not self._may_be_removed(producer_id)
        return not self.since and day_of(producer_id) == UNKNOWN_DAY

    def is_dense(self, producer_id: int) -> bool:
        """Tell whether the producer leaves no sequences out, as those of before did."""
        return self._is_known(producer_id) or day_of(producer_id) == UNKNOWN_DAY

    def _is_known(self, producer_id: int) -> bool:
        """Tell whether its id has a day. A process may be ahead of the database by one."""
        return day_of(producer_id) <= self.today + 1

    def _may_be_removed(self, producer_id: int) -> bool:
        """Require a day between: a process may be ahead of the database."""
        return self.epoch is not None and (day_of(producer_id) - 1) * HOURS_PER_DAY < self.epoch


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
        self.lost: Counter[int] = Counter()
        """By partition: events whose sequences were left out."""

    def accept(self, entries: Columns, partition: int, kept: Kept) -> Accepted:
        """Advance the states of a partition by `entries`."""
        sequences, spilled = self._sequences[partition], self._spilled[partition]
        accepted = Accepted([], [], [])
        dropped = self.dropped[partition]
        known, accept = sequences.get, accepted.new.append
        for i, (producer_id, sequence) in enumerate(
            zip(entries.producer_ids, entries.sequences, strict=True)
        ):
            state = known(producer_id, UNSEEN)
            if sequence <= state:
                dropped[DropReason.ALREADY_COUNTED] += 1
                continue
            if sequence - state != 1 and not self._leap(entries, i, kept, partition, accepted):
                continue
            sequences[producer_id] = sequence
            if spilled and sequence == spilled.get(producer_id):
                dropped[DropReason.COUNTED_FROM_SPILL] += 1
                continue
            accept(i)
        return accepted

    def _leap(
        self, entries: Columns, index: int, kept: Kept, partition: int, accepted: Accepted
    ) -> bool:
        """Look at an entry that does not follow the state of its producer, or that has none.

        Note what is missing before it. Return False if it is not accepted.
        """
        producer_id, sequence = entries.producer_ids[index], entries.sequences[index]
        if producer_id == NO_PRODUCER:
            accepted.foreign.append(index)
            return False
        state = self._sequences[partition].get(producer_id)
        if state is None and kept.is_too_old(entries, index):
            accepted.too_old.append(index)
            return False
        if state is None:
            missing = sequence if kept.has_all(producer_id) else 0
        else:
            missing = sequence - state - 1
        if missing and producer_id not in entries.sparse and kept.is_dense(producer_id):
            self.lost[partition] += missing
        return True

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

    def save(self, moment: Moment) -> None:
        """Write the states that have changed. Raises sql.Conflict if another process did so too."""
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
                    state.updated_at, state.epoch = moment.now, moment.epoch
                    added.append(state)
                elif before != after:
                    moves.append(Move(producer_id, partition, before[0], *after))
        ProducerState.objects.bulk_create(added)
        sql.move_producer_states(moves, moment.now, moment.epoch)


def load_producer_states(claims: Sequence[Claim]) -> ProducerStates:
    """Load the states of every producer that the claims name."""
    producer_ids: set[int] = set()
    for claim in claims:
        producer_ids.update(claim.entries.producer_ids)
        producer_ids |= {row.producer_id for row in claim.spilled if row.producer_id is not None}
    partitions = [claim.number for claim in claims if claim.entries or claim.spilled]
    stored = ProducerState.objects.filter(producer_id__in=producer_ids, partition__in=partitions)
    return ProducerStates(stored)
