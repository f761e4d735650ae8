"""The marks of a batch: what was counted before, and what is counted now."""

from collections import Counter
from collections.abc import Iterable

from django.utils import timezone

from counters import sql
from counters.models import Mark
from eventlog import Number

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

    def pass_by_log(self, number: Number, partition: int) -> bool:
        """Move the mark to an event of the log; return False if it was counted before."""
        key = (number.session, partition)
        if number.seq <= self._seq.get(key, NOTHING):
            self.seen["seen before"] += 1
            return False
        self._seq[key] = number.seq
        if self._spilled.get(key) == number.seq:
            self.seen["counted from the spill"] += 1
            return False
        return True

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
