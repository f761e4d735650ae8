"""The producer states of a batch: what was counted before, and what is counted now."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from django.utils import timezone

from footfall import sql
from footfall.eventlog import Entry, EventId
from footfall.events import DeadLetterReason, DropReason
from footfall.ingest.aggregate import PendingEvent
from footfall.ingest.claims import Claim
from footfall.models import ProducerState
from footfall.sql.batch import Move

NO_SEQUENCE = -1
"""The sequence of a producer state while nothing from the log was applied."""


class ProducerStates:
    """The states of a batch's producers: loaded once, advanced in memory, written at the end.

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
            self._spilled[state.partition][state.producer_id] = state.spilled
        self.dropped: Counter[DropReason] = Counter()

    def accept(
        self, entries: Iterable[Entry], partition: int, states_since: int = 0
    ) -> tuple[list[Entry], list[Entry]]:
        """Advance the states of a partition by `entries`. Return (to_count, too_old).

        An entry without an event id is in to_count. Too old: from before `states_since` (ms since
        1970), without a state of its producer. The log was restored from a backup older than the
        states that are kept, so it is unknown whether the entry was counted.
        """
        sequences, spilled = self._sequences[partition], self._spilled[partition]
        accepted: list[Entry] = []
        too_old: list[Entry] = []
        for entry in entries:
            event_id = entry.event_id
            if event_id is not None:
                producer_id, sequence = event_id
                if sequence <= sequences.get(producer_id, NO_SEQUENCE):
                    self.dropped[DropReason.ALREADY_COUNTED] += 1
                    continue
                # Require the web server's and Redis' time: one web server's clock may be wrong.
                if (
                    entry.at < states_since
                    and producer_id not in sequences
                    and entry.appended_at < states_since
                ):
                    too_old.append(entry)
                    continue
                sequences[producer_id] = sequence
                if sequence == spilled.get(producer_id):
                    self.dropped[DropReason.COUNTED_FROM_SPILL] += 1
                    continue
            accepted.append(entry)
        return accepted, too_old

    def accept_spilled(self, event_id: EventId, partition: int) -> bool:
        """Note a spilled event that has an id; return False if it was counted before."""
        producer_id, sequence = event_id
        known = self._sequences[partition].get(producer_id, NO_SEQUENCE)
        spilled = self._spilled[partition]
        if sequence <= known or sequence == spilled.get(producer_id):
            self.dropped[DropReason.COUNTED_FROM_LOG] += 1
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


def load_producer_states(claims: Sequence[Claim]) -> ProducerStates:
    """Load the states of every producer that the batch names."""
    producer_ids: set[int] = set()
    for claim in claims:
        producer_ids |= {entry.event_id.producer_id for entry in claim.entries if entry.event_id}
        producer_ids |= {row.producer_id for row in claim.spilled if row.producer_id is not None}
    partitions = [claim.number for claim in claims if claim.entries or claim.spilled]
    stored = ProducerState.objects.filter(producer_id__in=producer_ids, partition__in=partitions)
    return ProducerStates(stored)


def deduplicate(claims: Sequence[Claim], states: ProducerStates) -> list[PendingEvent]:
    """Return the events that were not counted before.

    Entries come before the spill: the states advance in the order of the log.
    """
    events: list[PendingEvent] = []
    for claim in claims:
        before = len(events)
        since = claim.partition.states_since
        accepted, too_old = states.accept(
            claim.entries, claim.number, int(since.timestamp() * 1000) if since else 0
        )
        events += [
            PendingEvent(claim.number, at, body, "" if event_id else entry_id.decode())
            for entry_id, event_id, at, _, body in accepted
        ]
        events += [
            PendingEvent(claim.number, at, body, entry_id.decode(), DeadLetterReason.TOO_OLD)
            for entry_id, _, at, _, body in too_old
        ]
        events += [
            PendingEvent(claim.number, row.at, bytes(row.body))
            for row in claim.spilled
            if row.event_id is None or states.accept_spilled(row.event_id, claim.number)
        ]
        claim.new_events = len(events) - before
    return events
