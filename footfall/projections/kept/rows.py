"""The rows of `KeptCounter`: made when a target is viewed first, if it exists; removed with it.

A made-up key makes no row. Two processes cannot make two of one target: its id follows from its
key.
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, connections, models, transaction
from django.db.models import F
from django.db.models.signals import post_delete

from footfall import registry, sql
from footfall.common.chunks import chunks, pages
from footfall.events import BIGINT
from footfall.fields import key_field
from footfall.models import KeptCounter, Projection
from footfall.projections.batch import Batch
from footfall.projections.kept.history import viewed_before
from footfall.projections.rows import TOTALS, lock, name_of
from footfall.registry import (
    content_type_of,
    countable_models,
    database_of,
    id_in,
    is_copied,
    is_kept,
    is_keyed,
    key_of,
    own_field,
    owner_of,
)

Changes = tuple[int, int]
NO_CHANGES = (0, 0)
MAX_STEP = 2**20
CHUNK_SIZE = 1_000  # keys that one statement looks up
ROWS_PER_READ = 2_000


def keep_new(model: type[models.Model], batch: Batch) -> Changes:
    """Make the rows of viewed targets that have none yet, before their views are added.

    Also if its policy counts none of the views. Call it while `totals` is claimed. Returns
    `Projection.changes` before and after. Raises DatabaseError if the database of the targets is
    away: then none of these views is counted yet; and as `insert` does.
    """
    if not is_kept(model):
        return NO_CHANGES
    label = model._meta.label_lower
    viewed = {one for of_hour in batch.hours.get(label, {}).values() for one in of_hour}
    keep(model, viewed, lambda: batch.keys(label))
    return note_change(model)


def note_change(model: type[models.Model]) -> Changes:
    """Note that this transaction changes counters, if they are copied. Call it before it does.

    The steps are random: after a restore, no other history has the same numbers.
    """
    if not is_copied(model):
        return NO_CHANGES
    rows = Projection.objects.filter(name=name_of(TOTALS, model._meta.label_lower))
    step = secrets.randbelow(MAX_STEP) + 1
    rows.update(changes=F("changes") + step)
    after: int = rows.values_list("changes", flat=True).first() or step
    return after - step, after


def keep(
    model: type[models.Model], ids: Collection[int], keys: Callable[[], Mapping[int, str]]
) -> None:
    """Make the rows of targets that exist and have none. keys: those that the ids are hashes of.

    Call it while `totals` is locked. Raises as `insert` does.
    """
    insert(model, missing(model, ids, keys))


def missing(
    model: type[models.Model], ids: Collection[int], keys: Callable[[], Mapping[int, str]]
) -> list[KeptCounter]:
    """Return the rows, not saved yet, of targets that exist and have none.

    It reads the database of the targets, and needs no lock.
    """
    new = set(ids) - sql.existing(model, ids)
    if not new:
        return []
    wanted: list[Any] = sorted(new)
    if is_keyed(model):
        known = keys()
        wanted = [known[one] for one in wanted if one in known]
    some = (_rows(model, part) for part in chunks(wanted, CHUNK_SIZE))
    return [row for rows in some for row in rows if row.target_id in new]


def insert(model: type[models.Model], rows: Sequence[KeptCounter]) -> None:
    """Save rows that were `missing`. Call it while `totals` is locked.

    A target that was viewed before, and whose row was deleted since, goes on from there: see
    `history`. Any other begins with what its column has, unless all of that is known to be copied:
    then its row is gone since the event store was restored, and the same events come again. Raises
    sql.LockTimeout.
    """
    if not rows:
        return
    is_copy = is_copied(model) and _is_explained(model)
    with transaction.atomic():
        before = viewed_before(model, [row.target_id for row in rows])
        changes = note_change(model)[1] if before else 0
        for row in rows:
            row.counter = max(0 if is_copy else row.counter, before.get(row.target_id, 0))
            row.changes = changes
        KeptCounter.objects.bulk_create(rows, CHUNK_SIZE, ignore_conflicts=True)


def _is_explained(model: type[models.Model]) -> bool:
    """Tell whether the model had no counts before its counting, or they are adopted."""
    rows = Projection.objects.filter(name=name_of(TOTALS, model._meta.label_lower))
    return rows.filter(counted_before=Projection.Counted.NO).exists()


def _rows(model: type[models.Model], keys: Collection[Any]) -> Iterator[KeptCounter]:
    """Yield the rows for those of these keys that exist, with the counters that they have."""
    rows = owner_of(model)._base_manager.using(database_of(model))
    yield from _kept(model, rows.filter(pk__in=valid_keys(model, keys)))


def _kept(model: type[models.Model], rows: models.QuerySet[Any]) -> Iterator[KeptCounter]:
    own = own_field(model)
    kind = content_type_of(model)
    for key, *counted in rows.values_list("pk", *([own.name] if own else [])).iterator(CHUNK_SIZE):
        yield KeptCounter(
            content_type=kind,
            target_id=id_in(model, key),
            name=text_in_database(model, key) if is_keyed(model) else None,
            counter=counted[0] if counted else 0,
        )


def text_in_database(model: type[models.Model], key: Any) -> str:
    """Return a key as its database has it when it is cast to text."""
    connection = connections[database_of(model)]
    return str(key_field(owner_of(model)).get_db_prep_value(key, connection))


def has_counts(model: type[models.Model]) -> bool:
    """Tell whether the column of a model whose counters are copied has any that no row has."""
    return next(_counted_without_row(model), None) is not None


def keep_counted(model: type[models.Model]) -> int:
    """Make the rows of all targets that have a counter above 0 in their own column, and no row.

    So they are audited, adopted and rebuilt like others. Returns how many. What the column has is
    what they begin with: nothing else knows it.
    """
    if not is_copied(model):
        return 0
    made = 0
    for keys in _counted_without_row(model):
        with transaction.atomic():  # their columns are read while nothing is counted or copied
            lock(model._meta.label_lower, [TOTALS])
            found = list(_rows(model, keys))
            KeptCounter.objects.bulk_create(found, ignore_conflicts=True)
            made += len(found)
    return made


def columns_without_row(model: type[models.Model]) -> Iterator[dict[int, int]]:
    """Yield what `keep_counted` would keep, some at a time: columns above 0, by id."""
    for keys in _counted_without_row(model) if is_copied(model) else ():
        yield {row.target_id: row.counter for row in _rows(model, keys)}


def _counted_without_row(model: type[models.Model]) -> Iterator[Collection[Any]]:
    """Yield the keys of those whose own column is above 0 and that have no row, some at a time."""
    own: Any = own_field(model)
    rows = owner_of(model)._base_manager.using(database_of(model))
    for page in pages(rows.filter(**{f"{own.name}__gt": 0}), ROWS_PER_READ, "pk"):
        ids = {id_in(model, key): key for (key,) in page}
        if new := set(ids) - sql.existing(model, ids):
            yield [ids[one] for one in sorted(new)]


def forget_deleted(model: type[models.Model]) -> int:
    """Remove the rows of targets that are gone without a signal; return how many."""
    if not is_kept(model):
        return 0
    stand_in = countable_models()[model._meta.label_lower]
    owner, using, removed = owner_of(model), database_of(model), 0
    key = key_field(owner)
    for page in pages(stand_in._base_manager.all(), ROWS_PER_READ, "pk", "name"):
        keys = {pk if name is None else key.to_python(name): pk for pk, name in page}
        rows_there = owner._base_manager.using(using).filter(pk__in=list(keys))
        there = {*rows_there.values_list("pk", flat=True)}
        gone = [pk for one, pk in keys.items() if one not in there]
        for some in chunks(gone, CHUNK_SIZE):
            removed += stand_in._base_manager.filter(pk__in=some).delete()[0]
    return removed


def keys_of(model: type[models.Model], ids: Collection[int]) -> dict[int, Any]:
    """Return the primary keys of targets by their ids; of those that are hashes, the known ones."""
    if not is_keyed(model):
        return {one: one for one in ids}
    field, found = key_field(owner_of(model)), {}
    rows = KeptCounter.objects.filter(content_type=content_type_of(model))
    for some in chunks(sorted(ids), CHUNK_SIZE):
        names = rows.filter(target_id__in=some).values_list("target_id", "name")
        found.update({target: field.to_python(name) for target, name in names})
    return found


def instances(model: type[models.Model], ids: Collection[int]) -> dict[int, models.Model]:
    """Return the rows of the project that are counted under these ids; some may be deleted.

    Routers say from where they are read: a replica, for example.
    """
    keys = keys_of(model, ids)
    rows = owner_of(model)._base_manager.in_bulk(list(keys.values()))
    return {one: rows[key] for one, key in keys.items() if key in rows}


def find(model: type[models.Model], text: str) -> models.Model | None:
    """Return the row of the project with the primary key that a text from outside says."""
    rows: Any = owner_of(model)._base_manager
    found: models.Model | None = rows.filter(pk__in=valid_keys(model, [text])).first()
    return found


def valid_keys(model: type[models.Model], texts: Iterable[str]) -> list[Any]:
    """Return the primary keys that texts from outside say, without what can be none."""
    field, found = key_field(owner_of(model)), []
    for text in texts:
        with suppress(ValidationError):
            key = field.to_python(text)
            if not isinstance(key, int) or 0 < key < BIGINT:
                found.append(key)
    return found


def watch_deletions() -> None:
    """Let the row of a target go with it. Call it when the models are loaded."""
    registry.call_when_registered(_watch_deletions)
    _watch_deletions()


def _watch_deletions() -> None:
    for model in registry.all_models():
        try:
            kept = is_kept(model)
        except TypeError:
            continue
        if kept and owner_of(model) is model._meta.concrete_model:
            post_delete.connect(forget, sender=model, dispatch_uid="counters.forget")


def forget(sender: Any, instance: models.Model, using: str, **kwargs: Any) -> None:
    """Remove the row of a target that was deleted, when that is committed."""
    target = key_of(instance)
    if using != database_of(sender) or target is None:
        return
    kind = content_type_of(owner_of(sender))
    row = KeptCounter.objects.filter(content_type=kind, target_id=target)
    if using == DEFAULT_DB_ALIAS:
        row.delete()
    else:
        transaction.on_commit(partial(row.delete), using=using, robust=True)
