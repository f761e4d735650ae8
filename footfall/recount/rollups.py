"""Rollups and hourly totals: compared with a recount, and corrected day by day.

Compaction moves hours to the first hour of their day, and deleted targets to `DELETED`: neither is
a difference.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import add, sub
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import QuerySet, Sum

from footfall import sql
from footfall.common.compiled import Compiled
from footfall.events import BIGINT
from footfall.models import (
    COLUMNS,
    KIND_COLUMNS,
    Correcting,
    HourTotal,
    Projection,
    Recounted,
    Rollup,
)
from footfall.projections.compact import DELETED
from footfall.projections.rows import HOURLY
from footfall.projections.series import DAY, at, number
from footfall.recount.beside import BesideRecount
from footfall.recount.comparison import CHUNK_SIZE, highest_id, ranges
from footfall.recount.counting import EPOCH, LAST_ID, Progress, require_verdicts
from footfall.recount.gap import Incomparable
from footfall.registry import content_type_of
from footfall.sql.batch import Row, names_of, summed
from footfall.sql.batch import condition as of_model

HOURS = 24
END = datetime(9999, 1, 1, tzinfo=UTC)
WHOLE = (-1, BIGINT - 1)
"""The range of all ids, if there are no more of them than one takes."""
NOTHING = (0,) * len(COLUMNS)
CORRECTING = Compiled(
    lambda label: Correcting.objects.filter(label=label, done=False).values_list("pk")[:1]
)


class Wrong(NamedTuple):
    """A day of a target whose rollups differ. Target `DELETED`: of all deleted targets."""

    target: int
    day: int
    """Its first hour, since 1970."""
    views: int
    """By how many there are too many."""
    kinds: str = ""
    """Which kinds of agents have too many or too few of them."""

    def text(self, label: str) -> str:
        who = self.target if self.target != DELETED else "deleted ones"
        day = f"{at(self.day):%Y-%m-%d}"
        if not self.views and self.kinds:
            return f"{label} {who}: the rollups of {day} have other kinds of agents: {self.kinds}"
        if not self.views:
            return f"{label} {who}: the rollups of {day} have views in other hours"
        how = "too many" if self.views > 0 else "too few"
        return f"{label} {who}: the rollups of {day} have {abs(self.views)} views {how}"


class Rollups(BesideRecount):
    """The rollups of one model, beside its recount."""

    kind, by_hour = HOURLY, True

    def _follow(self, row: Projection | None) -> None:
        """Raises Incomparable also while kinds of agents are being corrected."""
        super()._follow(row)
        require_verdicts(self.recount, self.gap.verdicts.version)
        if CORRECTING.all(self.recount.label):
            raise Incomparable(f"{self.recount.label}: a reclassification is not finished")

    def compare(self, progress: Progress | None = None) -> Iterator[Wrong]:
        """Yield every day of a target that differs. Raises Incomparable."""
        highest = highest_id(self.recount.label) if progress else 0
        is_whole = False
        for after, last in ranges(self.model, CHUNK_SIZE):
            is_whole = (after, last) == WHOLE
            with sql.snapshot():
                self.follow_current()
                found = self.differing(after, last)
                if is_whole:
                    found += self.differing_deleted()
            yield from found
            if progress:
                progress(f"rollups of {self.recount.label}", min(last, highest), highest)
        if not is_whole:
            yield from self.compare_deleted()

    def compare_deleted(self) -> list[Wrong]:
        """Return the days of deleted targets that differ. Raises Incomparable."""
        with sql.snapshot():
            self.follow_current()
            return self.differing_deleted()

    def differing(self, after: int, last: int) -> list[Wrong]:
        """Return what differs of existing targets with ids from `after` + 1 to `last`."""
        differences: dict[int, dict[int, list[int]]] = defaultdict(dict)
        with connection.cursor() as cursor:
            cursor.execute(self._statement(), self._arguments(after, last))
            for target, hour, *numbers in cursor.fetchall():
                differences[target][number(hour)] = list(map(int, numbers))
        for hour, target, numbers in self._new(after, last):
            of_target = differences[target]
            of_target[hour] = list(map(sub, of_target.get(hour, NOTHING), numbers))
        existing = sql.existing(self.model, differences.keys())
        return [
            wrong
            for target in sorted(existing)
            for wrong in _wrong_days(target, differences[target])
        ]

    def differing_deleted(self, day: int | None = None) -> list[Wrong]:
        """Return what differs of all deleted targets together, on one day or on all."""
        hours: dict[int, list[int]] = {}
        with connection.cursor() as cursor:
            cursor.execute(self._statement(deleted=True), self._arguments(-1, LAST_ID, day))
            for hour, *numbers in cursor.fetchall():
                hours[number(hour)] = list(map(int, numbers))
        for one, _target, numbers in self._new_of_deleted(day):
            hours[one] = list(map(sub, hours.get(one, NOTHING), numbers))
        return list(_wrong_days(DELETED, hours))

    def _new(self, after: int, last: int) -> Iterator[Row]:
        """Yield what is in the gap, as far as the recount has such hours."""
        since = number(self.recount.since) if self.recount.since else 0
        return (row for row in self.gap.rows_of_ids(after, last) if row[0] >= since)

    def _new_of_deleted(self, day: int | None) -> list[Row]:
        rows = [row for row in self._new(-1, LAST_ID) if day is None or day <= row[0] < day + HOURS]
        existing = sql.existing(self.model, {target for _hour, target, _numbers in rows})
        return [row for row in rows if row[1] not in existing]

    def correct(self, wrong: Collection[Wrong]) -> list[Wrong]:
        """Set days to what they should be, after `lock`; return those that were set.

        Nothing is taken away while segments cannot be read.
        """
        done = [one for one in wrong if one.views <= 0 or not self.unread]
        days: dict[int, list[int]] = defaultdict(list)
        for one in done:
            if one.target == DELETED:
                self._correct_deleted(one.day)
            else:
                days[one.day].append(one.target)
        new: dict[int, list[Row]] = defaultdict(list)
        for row in self._new(-1, LAST_ID) if days else ():
            new[row[0] - row[0] % HOURS].append(row)
        for day, ids in days.items():
            self._correct_day(day, ids, new[day])
        return done

    def _correct_day(self, day: int, ids: Collection[int], new: Iterable[Row]) -> None:
        kept = {"content_type": content_type_of(self.model), "target_id__in": ids} | _within(day)
        counted = Recounted.objects.filter(**kept).values_list("hour", "target_id", *COLUMNS)
        rows: list[Row] = [(number(time), target, numbers) for time, target, *numbers in counted]
        wanted = frozenset(ids)
        rows += [row for row in new if row[1] in wanted]
        Rollup.objects.filter(**kept).delete()
        sql.add_rollups(self.model, summed(rows))

    def _correct_deleted(self, day: int) -> None:
        """Move the day's views of deleted targets to `DELETED`, as many as there should be."""
        of_day = {"content_type": content_type_of(self.model)} | _within(day)
        there = self.model._base_manager.values("pk")
        counted = Recounted.objects.filter(**of_day).exclude(target_id__in=there)
        rows: list[Row] = [
            (number(time), DELETED, numbers) for time, *numbers in _sums_by_hour(counted)
        ]
        rows += [(hour, DELETED, numbers) for hour, _, numbers in self._new_of_deleted(day)]
        Rollup.objects.filter(**of_day).exclude(target_id__in=there).delete()
        sql.add_rollups(self.model, summed(rows))

    def correct_total(self, day: int) -> bool:
        """Set the hourly totals of a day to the sums of its rollups, after `lock`."""
        of_day = {"content_type": content_type_of(self.model)} | _within(day)
        rolled = [*_sums_by_hour(Rollup.objects.filter(**of_day))]
        totals = HourTotal.objects.filter(**of_day)
        present = [views for _hour, *views in _sums_by_hour(totals)]
        wanted = [views for _hour, *views in rolled]
        if list(map(sum, zip(NOTHING, *wanted, strict=True))) == list(
            map(sum, zip(NOTHING, *present, strict=True))
        ):
            return False
        totals.delete()
        rows = ((number(hour), DELETED, views) for hour, *views in rolled)
        sql.add_hour_totals(self.model, summed(rows).totals())
        return True

    def days(self, since: datetime | None) -> Iterator[int]:
        """Yield the first hours of the days that have rollups or totals."""
        kind = content_type_of(self.model)
        hour = since or EPOCH
        while True:
            found = [
                table._default_manager.filter(content_type=kind, hour__gte=hour)
                .order_by("hour")
                .values_list("hour", flat=True)
                .first()
                for table in (Rollup, HourTotal)
            ]
            first = min((one for one in found if one), default=None)
            if first is None:
                return
            day = number(first) - number(first) % HOURS
            yield day
            hour = at(day) + DAY

    def _arguments(self, after: int, last: int, day: int | None = None) -> list[Any]:
        """Return the range of ids and hours; hours of an unknown time are not in the rollups."""
        first, end = self.recount.since or at(1), END
        if day is not None:
            first, end = max(first, at(day)), at(day) + DAY
        hours = map(connection.ops.adapt_datetimefield_value, (first, end))
        return [content_type_of(self.model).pk, after, last, *hours] * 2

    def _statement(self, *, deleted: bool = False) -> str:
        """Return SQL for the hours that differ, by target, or of the deleted ones together."""
        where = """WHERE content_type_id = %s AND target_id > %s AND target_id <= %s
            AND hour >= %s AND hour < %s"""
        rows = f"""
            SELECT target_id, hour, {", ".join(COLUMNS)} FROM {Rollup._meta.db_table} {where}
            UNION ALL
            SELECT target_id, hour, {", ".join(f"-{name}" for name in COLUMNS)}
            FROM {Recounted._meta.db_table} {where}
        """  # noqa: S608
        columns, condition = "target_id, hour", ""
        if deleted:
            table, key, _ = names_of(self.model)
            columns = "hour"
            there = f"t.{key} = target_id{of_model(self.model, 't')}"
            condition = f"WHERE NOT EXISTS (SELECT 1 FROM {table} t WHERE {there})"  # noqa: S608
        sums = [f"SUM({name})" for name in COLUMNS]
        return f"""
            SELECT {columns}, {", ".join(sums)} FROM ({rows}) differing {condition}
            GROUP BY {columns} HAVING {" OR ".join(f"{one} <> 0" for one in sums)}
        """  # noqa: S608


def _sums_by_hour(
    rows: QuerySet[Rollup] | QuerySet[Recounted] | QuerySet[HourTotal],
) -> Iterable[Any]:
    """Return (hour, sum of each of COLUMNS)."""
    return rows.order_by().values_list("hour").annotate(*map(Sum, COLUMNS))


def _wrong_days(target: int, hours: Mapping[int, Sequence[int]]) -> Iterator[Wrong]:
    """Yield the days that differ: by how much in each of COLUMNS, by hour.

    If one side is the other with some hours moved to the first one of the day, they are equal.
    """
    days: dict[int, list[Sequence[int]]] = defaultdict(list)
    first: dict[int, Sequence[int]] = defaultdict(lambda: NOTHING)
    for hour, numbers in hours.items():
        if hour % HOURS:
            days[hour - hour % HOURS].append(numbers)
        else:
            days[hour].append(NOTHING)
            first[hour] = numbers
    for day, others in sorted(days.items()):
        columns = list(zip(*others, strict=True))
        views, *kinds = map(add, first[day], map(sum, columns))
        if views or any(kinds) or any(min(one) < 0 < max(one) for one in columns):
            named = zip(KIND_COLUMNS.values(), kinds, strict=True)
            yield Wrong(target, day, views, ", ".join(f"{k} {n:+d}" for k, n in named if n))


def _within(day: int) -> dict[str, datetime]:
    return {"hour__gte": at(day), "hour__lt": at(day) + DAY}
