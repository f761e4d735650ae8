"""The statements that differ between databases, in one module for each engine.

Such a module has `add_counts`, `set_counts`, `add_hourly`, `add_carried`, `add_keys`,
`put_sketches`, `select_ids` and `move_producer_states`, each one statement for a whole batch, and
how it waits for locks. They get columns of equal length. Those of `add_hourly`: hours since 1970,
views, targets if the table has them, and one for each of the kinds that are named.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from importlib import import_module
from itertools import chain, repeat
from operator import itemgetter
from typing import Any

from django.db import (
    DEFAULT_DB_ALIAS,
    IntegrityError,
    OperationalError,
    connection,
    connections,
    models,
    transaction,
)
from django.db.models import Case, F, QuerySet, Value, When

from footfall.common.chunks import chunks
from footfall.models import KIND_COLUMNS, Base, HourTotal, Recounted, Rollup
from footfall.registry import content_type_of
from footfall.sql.batch import NO_KIND, Group, Move, Views, columns_of, rows_per_statement


class Conflict(Exception):
    """Another process has changed rows that this transaction had claimed: roll it back."""


class LockTimeout(Exception):
    """Another transaction has held a row or a table for too long: nothing has changed."""


def dialect(using: str = DEFAULT_DB_ALIAS) -> Any:
    """Return the module for the database's engine. It gets everything in the order of its keys."""
    return import_module(f"{__name__}.{connections[using].vendor}")


def rows_per_transaction() -> int:
    """Return about how many rows one transaction may lock: for some 3 s."""
    return int(dialect().ROWS_PER_TRANSACTION)


@contextmanager
def atomic_with_lock_timeout(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """A transaction of its own, in which a statement waits only a moment for a lock.

    PostgreSQL: 250 ms; MySQL and MariaDB: 1 s; SQLite: as long as ever. Raises LockTimeout.
    """
    engine = dialect(using)
    try:
        with engine.lock_timeout(using), transaction.atomic(using, durable=True):
            engine.set_local_lock_timeout(using)
            yield
    except OperationalError as error:
        if engine.is_lock_timeout(error):
            raise LockTimeout(str(error).strip()) from error
        raise


def mark() -> None:
    """Mark this transaction, until it ends, as one that `end_stuck` may end."""
    if connection.vendor == "postgresql":
        dialect().mark()


def end_stuck() -> list[int]:
    """End marked transactions that wait for their process; return the ids of their backends.

    Such a process is stopped, or its host hangs. If it is to read a result (ClientWrite), none of
    PostgreSQL's time-outs ends the transaction, and its locks stop all counting. Only transactions
    older than 20 s by the database's clock, in the same database, and of the same role, which may
    end them. Elsewhere nothing is needed: MySQL has net_write_timeout, and SQLite no server.
    """
    return dialect().end_stuck() if connection.vendor == "postgresql" else []


def add_counts(model: type[models.Model], counts: Mapping[int, int]) -> dict[int, int]:
    """Add to the counters of `model` in one statement: {id: views}.

    Returns the new counter of every id that exists; none rises above `MAX_COUNTER`. Rows are locked
    in the order of their ids.
    """
    found: dict[int, int] = {}
    if counts:
        ids = sorted(counts)
        found = dialect().add_counts(model, ids, [counts[target] for target in ids])
    return found


def add_counts_unless_locked(
    model: type[models.Model], counts: Mapping[int, int]
) -> dict[int, int] | None:
    """Do the same, or nothing and return None: when a row is locked, or might be.

    Call it in `atomic_with_lock_timeout`. MySQL and MariaDB would wait too long to find out.
    """
    engine = dialect()
    if not engine.WAITS_FOR_ROWS:
        return None
    try:
        with transaction.atomic():
            return add_counts(model, counts)
    except OperationalError as error:
        if engine.is_lock_timeout(error):
            return None
        raise


def set_counts(model: type[models.Model], counters: Mapping[int, int]) -> None:
    """Set the counters of `model`: {id: counter}. Call it while their rows are locked."""
    if counters:
        ids = sorted(counters)
        dialect().set_counts(model, ids, [counters[target] for target in ids])


def set_by_key(
    model: type[models.Model], name: str, counters: Mapping[Any, int], using: str
) -> None:
    """Set the column `name` of a model of the project, by primary key, in its own database.

    Call it while the rows are locked, with some hundred of them.
    """
    engine = dialect(using)
    if hasattr(engine, "set_by_key"):
        engine.set_by_key(model, name, counters, using)
        return
    cases = [When(pk=key, then=Value(n)) for key, n in counters.items()]
    counter = Case(*cases, default=F(name), output_field=models.BigIntegerField())
    rows = model._base_manager.using(using).order_by().filter(pk__in=list(counters))
    rows.update(**{name: counter})


def lock_free(model: type[models.Model], ids: Collection[int]) -> set[int]:
    """Lock the targets with these ids that no other transaction has locked; return their ids."""
    return dialect().select_ids(model, sorted(ids), lock=True) if ids else set()


def existing(model: type[models.Model], ids: Collection[int]) -> set[int]:
    """Return those of the ids that are there, locked or not."""
    return dialect().select_ids(model, sorted(ids), lock=False) if ids else set()


def add_carried(model: type[models.Model], counts: Mapping[int, int], since: int) -> None:
    """Add to the views of `model` that are carried over: {id: views}.

    since: when the earliest of them happened, in ms since 1970. Call it while the row of the
    projection is locked.
    """
    if counts:
        ids = sorted(counts)
        columns = (ids, [counts[target] for target in ids], [since] * len(ids))
        dialect().add_carried(content_type_of(model).pk, columns)


def add_rollups(model: type[models.Model], views: Views) -> None:
    """Add to the rollups of `model`.

    Call it while the row of the projection `hourly` is locked: nothing else may add to them.
    """
    add_views(Rollup, content_type_of(model).pk, views)


def add_groups(model: type[models.Model], groups: Iterable[Group]) -> None:
    """Add to the rollups of `model`, as `add_rollups` does. No target comes twice in an hour."""
    some = sorted(groups, key=itemgetter(1))  # by their ids
    if not some:
        return
    hours, ids, numbers = zip(*some, strict=True)
    views, *of_kinds = zip(*numbers, strict=True)
    names, kinds = _kinds(of_kinds)
    engine, kind = dialect(), content_type_of(model).pk
    if hasattr(engine, "add_groups"):
        engine.add_groups(Rollup, kind, ids, [hours, views, *kinds], names)
        return
    sizes = list(map(len, ids))
    hour, view, *others = [
        list(chain.from_iterable(map(repeat, column, sizes))) for column in (hours, views, *kinds)
    ]
    columns = [hour, view, list(chain.from_iterable(ids)), *others]
    engine.add_hourly(Rollup, kind, columns, names)


def add_views(
    table: type[Rollup] | type[Base] | type[Recounted], content_type: int, views: Views
) -> None:
    """Add to the views of targets, in the order of the hours and then of their ids."""
    hours: list[int] = []
    counts: list[int] = []
    targets: list[int] = []
    of_kinds: list[Iterator[Sequence[int]]] = []
    for hour, of_hour in sorted(views.hours.items()):
        ids = sorted(of_hour)
        targets += ids
        counts += map(of_hour.__getitem__, ids)
        hours += [hour] * len(ids)
        if views.kinds:
            kinds = views.kinds.get(hour, {})
            of_kinds.append(map(kinds.get, ids, repeat(NO_KIND)))
    if hours:
        names, columns = _kinds(columns_of(chain.from_iterable(of_kinds)))
        dialect().add_hourly(table, content_type, [hours, counts, targets, *columns], names)


def _kinds(columns: Iterable[Sequence[int]]) -> tuple[list[str], list[Sequence[int]]]:
    """Return the names of the kinds that are not 0 everywhere, and their columns."""
    found = zip(KIND_COLUMNS.values(), columns, strict=True)
    some = {name: column for name, column in found if any(column)}
    return list(some), list(some.values())


def add_hour_totals(model: type[models.Model], sums: Mapping[int, Sequence[int]]) -> None:
    """Add to the views of all targets of `model`: by hour since 1970, for each of COLUMNS.

    Call it while the row of the projection `hourly` is locked.
    """
    if sums:
        views, *of_kinds = zip(*sums.values(), strict=True)
        names, columns = _kinds(of_kinds)
        columns = [list(sums), views, *columns]
        dialect().add_hourly(HourTotal, content_type_of(model).pk, columns, names)


def put_sketches(
    content_type: int, day: date, sketches: Sequence[tuple[int, bytes, int]], *, beside: bool
) -> None:
    """Insert or replace the visitors of targets on a day: (id, sketch, visitors).

    Call it while the row of the projection, or of the recount, is locked.
    """
    size = rows_per_statement([sketch for _, sketch, _ in sketches])
    for some in chunks(sketches, size):
        columns = list(zip(*some, strict=True))
        dialect().put_sketches((content_type, day, beside), columns)


def move_producer_states(moves: Sequence[Move], now: datetime, epoch: int) -> None:
    """Move the states by compare-and-set. Raises Conflict if one has changed since it was read."""
    moved = dialect().move_producer_states(moves, now, epoch) if moves else 0
    if moved != len(moves):
        raise Conflict(f"{len(moves) - moved} producer states have moved meanwhile")


def add_keys(keys: Mapping[bytes, int]) -> set[bytes]:
    """Add keys of clients: {key: until}. Return those that were not there yet.

    Waits for a transaction that has added one of them: it decides. They are added in their order,
    so two that wait for each other are not possible. Raises Conflict: then roll back.
    """
    added: set[str] = set()
    if keys:
        rows = sorted((key.hex(), until) for key, until in keys.items())
        try:
            added = dialect().add_keys(*map(list, zip(*rows, strict=True)))
        except IntegrityError as error:
            raise Conflict("a key was stored meanwhile") from error
    return {bytes.fromhex(str(key).replace("-", "")) for key in added}


def lock(rows: QuerySet[models.Model]) -> QuerySet[models.Model]:
    """Return countable `rows`, locked as `totals` locks them: it changes none meanwhile.

    Where the database has such a lock, a transaction that inserts a foreign key to them does not
    wait. MariaDB locks the rows of joined tables too, and SQLite locks the whole database.
    """
    has = connection.features
    of = ("self",) if has.has_select_for_update_of else ()
    return rows.select_for_update(of=of, no_key=has.has_select_for_no_key_update)


@contextmanager
def snapshot() -> Iterator[None]:
    """A transaction in which all statements see the database as it was at the first one.

    Inside another transaction it does nothing: that has begun already.
    """
    if connection.in_atomic_block:
        yield
        return
    with dialect().snapshot():
        yield


def analyze(model: type[models.Model]) -> None:
    """Let the database look at a table that was filled just now, where that helps its plans."""
    dialect().analyze(model._meta.db_table)


def table_bytes(model: type[models.Model]) -> int | None:
    """Return about how many bytes the table takes with its indexes; None where that is unknown."""
    size: int | None = dialect().table_bytes(model._meta.db_table)
    return size
