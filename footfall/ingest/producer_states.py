"""The marks of a batch: what was counted before, and what is counted now."""

from collections import Counter
from collections.abc import Iterable, Sequence

from django.utils import timezone

from footfall import sql
from footfall.eventlog import Entry, Number
from footfall.ingest.aggregate import FORGOTTEN, View
from footfall.ingest.claims import Claim
from footfall.models import Mark

Key = tuple[int, int]
"""(session, partition)"""
NOTHING = -1


class Marks:
    """The marks of some sessions: loaded once, moved in memory, written at the end.

    Needs the claim on the partitions. Every move says whether the event is new.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        keys = set(keys)
        sessions = {session for session, _ in keys}
        partitions = {partition for _, partition in keys}
        stored = Mark.objects.filter(session__in=sessions, partition__in=partitions)
        self._before = {
            (mark.session, mark.partition): (mark.seq, mark.spilled)
            for mark in (stored if keys else ())
        }
        self._seq = {key: seq for key, (seq, _) in self._before.items()}
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
        marks = {session: seq for (session, of), seq in self._seq.items() if of == partition}
        spilled = {key[0]: seq for key, seq in self._spilled.items() if key[1] == partition}
        fresh: list[Entry] = []
        forgotten: list[Entry] = []
        for entry in entries:
            number = entry[1]
            if number is not None:
                session, seq = number
                if seq <= marks.get(session, NOTHING):
                    self.seen["seen before"] += 1
                    continue
                # Both clocks say so: that of one writer may be wrong.
                if entry[2] < since and session not in marks and entry.appended_at < since:
                    forgotten.append(entry)
                    continue
                marks[session] = seq
                if seq == spilled.get(session):
                    self.seen["counted from the spill"] += 1
                    continue
            fresh.append(entry)
        self._seq.update({(session, partition): seq for session, seq in marks.items()})
        return fresh, forgotten

    def pass_by_spill(self, number: Number, partition: int) -> bool:
        """Note a spilled event with a number; return False if it was counted from the log."""
        key = (number.session, partition)
        if number.seq <= self._seq.get(key, NOTHING) or self._spilled.get(key) == number.seq:
            self.seen["counted from the log"] += 1
            return False
        self._spilled[key] = number.seq
        return True

    def advance(self) -> None:
        """Write the marks that moved. Raises sql.Conflict if anybody else has moved one."""
        now = timezone.now()
        fresh: list[Mark] = []
        moved: list[sql.Move] = []
        for session, partition in self._seq.keys() | self._spilled.keys():
            key = (session, partition)
            after = (self._seq.get(key, NOTHING), self._spilled.get(key))
            before = self._before.get(key)
            if before is None:
                fresh.append(
                    Mark(
                        session=session,
                        partition=partition,
                        seq=after[0],
                        spilled=after[1],
                        updated_at=now,
                    )
                )
            elif before != after:
                moved.append(sql.Move(session, partition, before[0], *after))
        Mark.objects.bulk_create(fresh)
        sql.move_marks(moved, now)


def load_marks(claims: Sequence[Claim]) -> Marks:
    """Load the marks of every session that the batch names."""
    numbers: set[tuple[int, int]] = set()
    for claim in claims:
        sessions = {entry.number.session for entry in claim.entries if entry.number}
        sessions |= {row.session for row in claim.spilled if row.session is not None}
        numbers |= {(session, claim.number) for session in sessions}
    return Marks(numbers)


def drop_seen(claims: Sequence[Claim], marks: Marks) -> list[View]:
    """Return what was not counted before; the log goes first, since its order is the marks'."""
    views: list[View] = []
    for claim in claims:
        before = len(views)
        since = claim.partition.known_since
        fresh, forgotten = marks.pass_by_log(
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
            if row.number is None or marks.pass_by_spill(row.number, claim.number)
        ]
        claim.fresh = len(views) - before
    return views
