"""Rollups and hourly totals: compared with a recount, and corrected day by day.

Compaction moves hours to the first hour of their day, and deleted targets to `DELETED`: neither is
a difference.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Sum

from footfall import sql
from footfall.models import HourTotal, Recounted, Rollup
from footfall.projections.compact import DELETED
from footfall.projections.rows import HOURLY
from footfall.projections.series import DAY
from footfall.recount.beside import BesideRecount
from footfall.recount.comparison import CHUNK_SIZE, highest_id, ranges
from footfall.recount.counting import EPOCH, LAST_ID, Progress
from footfall.registry import content_type_of
from footfall.sql.batch import names_of

HOURS = 24
END = datetime(9999, 1, 1, tzinfo=UTC)
SECONDS = 3_600


class Wrong(NamedTuple):
    """A day of a target whose rollups differ. Target `DELETED`: of all deleted targets."""

    target: int
    day: int
    """Its first hour, since 1970."""
    views: int
    """By how many there are too many."""

    def text(self, label: str) -> str:
        who = self.target if self.target != DELETED else "deleted ones"
        day = f"{at(self.day):%Y-%m-%d}"
        if not self.views:
            return f"{label} {who}: the rollups of {day} have views in other hours"
        how = "too many" if self.views > 0 else "too few"
        return f"{label} {who}: the rollups of {day} have {abs(self.views)} views {how}"


class Rollups(BesideRecount):
    """The rollups of one model, beside its recount."""

    kind, by_hour = HOURLY, True

    def compare(self, progress: Progress | None = None) -> Iterator[Wrong]:
        """Yield every day of a target that differs. Raises Incomparable."""
        highest = highest_id(self.recount.label)
        for after, last in ranges(self.model, CHUNK_SIZE):
            with sql.snapshot():
                self.follow_current()
                found = self.differing(after, last)
            yield from found
            if progress:
                progress(f"rollups of {self.recount.label}", min(last, highest), highest)
        yield from self.compare_deleted()

    def compare_deleted(self) -> list[Wrong]:
        """Return the days of deleted targets that differ. Raises Incomparable."""
        with sql.snapshot():
            self.follow_current()
            return self.differing_deleted()

    def differing(self, after: int, last: int) -> list[Wrong]:
        """Return what differs of existing targets with ids from `after` + 1 to `last`."""
        differences: dict[int, dict[int, int]] = defaultdict(dict)
        with connection.cursor() as cursor:
            cursor.execute(self._statement(), self._arguments(after, last))
            for target, hour, views in cursor.fetchall():
                differences[target][number(hour)] = int(views)
        for target, hour, views in self._new(after, last):
            of_target = differences[target]
            of_target[hour] = of_target.get(hour, 0) - views
        existing = sql.existing(self.model, differences.keys())
        return [
            wrong
            for target in sorted(existing)
            for wrong in _wrong_days(target, differences[target])
        ]

    def differing_deleted(self, day: int | None = None) -> list[Wrong]:
        """Return what differs of all deleted targets together, on one day or on all."""
        hours: dict[int, int] = {}
        with connection.cursor() as cursor:
            cursor.execute(self._statement(deleted=True), self._arguments(-1, LAST_ID, day))
            for hour, views in cursor.fetchall():
                hours[number(hour)] = int(views)
        for hour, views in self._new_of_deleted(day).items():
            hours[hour] = hours.get(hour, 0) - views
        return list(_wrong_days(DELETED, hours))

    def _new(self, after: int, last: int) -> Iterator[tuple[int, int, int]]:
        """Yield what is in the gap, as far as the recount has such hours."""
        since = number(self.recount.since) if self.recount.since else 0
        return (one for one in self.gap.of_ids(after, last) if one[1] >= since)

    def _new_of_deleted(self, day: int | None) -> Mapping[int, int]:
        views = [
            one for one in self._new(-1, LAST_ID) if day is None or day <= one[1] < day + HOURS
        ]
        existing = sql.existing(self.model, {target for target, _, _ in views})
        hours: dict[int, int] = defaultdict(int)
        for target, hour, times in views:
            if target not in existing:
                hours[hour] += times
        return hours

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
        new: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for target, hour, views in self._new(-1, LAST_ID) if days else ():
            new[hour - hour % HOURS].append((target, hour, views))
        for day, ids in days.items():
            self._correct_day(day, ids, new[day])
        return done

    def _correct_day(
        self, day: int, ids: Collection[int], new: Iterable[tuple[int, int, int]]
    ) -> None:
        kept = {"content_type": content_type_of(self.model), "target_id__in": ids} | _within(day)
        hours: dict[int, dict[int, int]] = defaultdict(dict)
        rows = Recounted.objects.filter(**kept)
        for target, time, views in rows.values_list("target_id", "hour", "views"):
            hours[number(time)][target] = views
        wanted = frozenset(ids)
        for target, hour, views in new:
            if target in wanted:
                hours[hour][target] = hours[hour].get(target, 0) + views
        Rollup.objects.filter(**kept).delete()
        sql.add_rollups(self.model, _without_zeros(hours))

    def _correct_deleted(self, day: int) -> None:
        """Move the day's views of deleted targets to `DELETED`, as many as there should be."""
        of_day = {"content_type": content_type_of(self.model)} | _within(day)
        hours: dict[int, int] = defaultdict(int)
        there = self.model._base_manager.values("pk")
        rows = Recounted.objects.filter(**of_day).exclude(target_id__in=there).order_by()
        for time, views in rows.values_list("hour").annotate(Sum("views")):
            hours[number(time)] += views
        for hour, views in self._new_of_deleted(day).items():
            hours[hour] += views
        Rollup.objects.filter(**of_day).exclude(target_id__in=there).delete()
        sql.add_rollups(
            self.model, _without_zeros({hour: {DELETED: n} for hour, n in hours.items()})
        )

    def correct_total(self, day: int) -> bool:
        """Set the hourly totals of a day to the sums of its rollups, after `lock`."""
        of_day = {"content_type": content_type_of(self.model)} | _within(day)
        rows = Rollup.objects.filter(**of_day).order_by().values_list("hour")
        sums = {number(hour): int(views) for hour, views in rows.annotate(Sum("views"))}
        totals = HourTotal.objects.filter(**of_day)
        if sum(sums.values()) == (totals.aggregate(n=Sum("views"))["n"] or 0):
            return False
        totals.delete()
        sql.add_hour_totals(self.model, dict(sorted(sums.items())))
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
            SELECT target_id, hour, views FROM {Rollup._meta.db_table} {where}
            UNION ALL
            SELECT target_id, hour, -views FROM {Recounted._meta.db_table} {where}
        """  # noqa: S608
        columns, condition = "target_id, hour", ""
        if deleted:
            table, key, _ = names_of(self.model)
            columns = "hour"
            condition = f"WHERE NOT EXISTS (SELECT 1 FROM {table} t WHERE t.{key} = target_id)"  # noqa: S608
        return f"""
            SELECT {columns}, SUM(views) FROM ({rows}) differing {condition}
            GROUP BY {columns} HAVING SUM(views) <> 0
        """  # noqa: S608


def _wrong_days(target: int, hours: Mapping[int, int]) -> Iterator[Wrong]:
    """Yield the days that differ: by how much, by hour.

    If one side is the other with some hours moved to the first one of the day, they are equal.
    """
    days: dict[int, list[int]] = defaultdict(list)
    first: dict[int, int] = defaultdict(int)
    for hour, views in hours.items():
        if hour % HOURS:
            days[hour - hour % HOURS].append(views)
        else:
            days[hour].append(0)
            first[hour] = views
    for day, others in sorted(days.items()):
        too_many = first[day] + sum(others)
        if too_many or min(others) < 0 < max(others):
            yield Wrong(target, day, too_many)


def _within(day: int) -> dict[str, datetime]:
    return {"hour__gte": at(day), "hour__lt": at(day) + DAY}


def _without_zeros(hours: Mapping[int, Mapping[int, int]]) -> Mapping[int, Mapping[int, int]]:
    return {
        hour: {target: times for target, times in views.items() if times}
        for hour, views in hours.items()
    }


def at(hour: int) -> datetime:
    """Return an hour since 1970 as a time."""
    return datetime.fromtimestamp(hour * SECONDS, UTC)


def number(hour: datetime | str) -> int:
    """Return it as hours since 1970. SQL gives a text on SQLite, and no time zone on MySQL."""
    time = datetime.fromisoformat(hour) if isinstance(hour, str) else hour
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()) // SECONDS
