"""The marks of a batch: what was counted before, and what is counted now."""

from collections import Counter
from collections.abc import Iterable, Sequence

from django.utils import timezone

from footfall import sql
from footfall.eventlog import Entry, EventId
from footfall.ingest.aggregate import FORGOTTEN, View
from footfall.ingest.claims import Claim
from footfall.models import ProducerState

Key = tuple[int, int]
"""(session, partition)"""
NOTHING = -1


class ProducerStates:
    """The marks of some sessions: loaded once, moved in memory, written at the end.

    Needs the claim on the partitions. Every move says whether the event is new.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        keys = set(keys)
        producer_ids = {producer_id for producer_id, _ in keys}
        partitions = {partition for _, partition in keys}
        stored = ProducerState.objects.filter(
            producer_id__in=producer_ids, partition__in=partitions
        )
        self._before = {
            (producer_state.producer_id, producer_state.partition): (
                producer_state.sequence,
                producer_state.spilled,
            )
            for producer_state in (stored if keys else ())
        }
        self._seq = {key: sequence for key, (sequence, _) in self._before.items()}
        self._spilled = {key: spilled for key, (_, spilled) in self._before.items()}
        self.seen: Counter[str] = Counter()

    def pass_by_log(
        self, entries: Iterable[Entry], partition: int, since: int = 0
    ) -> tuple[list[Entry], list[Entry]]:
        """Move the marks past what the log has; return what was not counted before.

        An entry without a number is never known by its mark. Beside it is returned what lacks a
        mark and is from before `since` (ms since 1970): the log has come back from a time of which
        the marks are not kept any more.
        """
        producer_states = {
            producer_id: sequence
            for (producer_id, of), sequence in self._seq.items()
            if of == partition
        }
        spilled = {
            key[0]: sequence for key, sequence in self._spilled.items() if key[1] == partition
        }
        fresh: list[Entry] = []
        forgotten: list[Entry] = []
        for entry in entries:
            number = entry[1]
            if number is not None:
                producer_id, sequence = number
                if sequence <= producer_states.get(producer_id, NOTHING):
                    self.seen["seen before"] += 1
                    continue
                # Both clocks say so: that of one writer may be wrong.
                if (
                    entry[2] < since
                    and producer_id not in producer_states
                    and entry.appended_at < since
                ):
                    forgotten.append(entry)
                    continue
                producer_states[producer_id] = sequence
                if sequence == spilled.get(producer_id):
                    self.seen["counted from the spill"] += 1
                    continue
            fresh.append(entry)
        self._seq.update(
            {
                (producer_id, partition): sequence
                for producer_id, sequence in producer_states.items()
            }
        )
        return fresh, forgotten

    def pass_by_spill(self, number: EventId, partition: int) -> bool:
        """Note a spilled event with a number; return False if it was counted from the log."""
        key = (number.producer_id, partition)
        if (
            number.sequence <= self._seq.get(key, NOTHING)
            or self._spilled.get(key) == number.sequence
        ):
            self.seen["counted from the log"] += 1
            return False
        self._spilled[key] = number.sequence
        return True

    def advance(self) -> None:
        """Write the marks that moved. Raises sql.Conflict if anybody else has moved one."""
        now = timezone.now()
        fresh: list[ProducerState] = []
        moved: list[sql.Move] = []
        for producer_id, partition in self._seq.keys() | self._spilled.keys():
            key = (producer_id, partition)
            after = (self._seq.get(key, NOTHING), self._spilled.get(key))
            before = self._before.get(key)
            if before is None:
                fresh.append(
                    ProducerState(
                        producer_id=producer_id,
                        partition=partition,
                        sequence=after[0],
                        spilled=after[1],
                        updated_at=now,
                    )
                )
            elif before != after:
                moved.append(sql.Move(producer_id, partition, before[0], *after))
        ProducerState.objects.bulk_create(fresh)
        sql.move_producer_states(moved, now)


def load_producer_states(claims: Sequence[Claim]) -> ProducerStates:
    """Load the marks of every session that the batch names."""
    numbers: set[tuple[int, int]] = set()
    for claim in claims:
        producer_ids = {entry.number.producer_id for entry in claim.entries if entry.number}
        producer_ids |= {row.producer_id for row in claim.spilled if row.producer_id is not None}
        numbers |= {(producer_id, claim.number) for producer_id in producer_ids}
    return ProducerStates(numbers)


def drop_seen(claims: Sequence[Claim], producer_states: ProducerStates) -> list[View]:
    """Return what was not counted before; the log goes first, since its order is the marks'."""
    views: list[View] = []
    for claim in claims:
        before = len(views)
        since = claim.partition.known_since
        fresh, forgotten = producer_states.pass_by_log(
            claim.entries, claim.number, int(since.timestamp() * 1000) if since else 0
        )
        views += [
            View(claim.number, at, body, "" if number else entry_id.decode())
            for entry_id, number, at, _, body in fresh
        ]
        views += [
            View(claim.number, entry.at, entry.body, entry.id.decode(), FORGOTTEN)
            for entry in forgotten
        ]
        views += [
            View(claim.number, row.at, bytes(row.body))
            for row in claim.spilled
            if row.number is None or producer_states.pass_by_spill(row.number, claim.number)
        ]
        claim.fresh = len(views) - before
    return views
