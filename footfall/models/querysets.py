"""Querysets of countable models: what is viewed most, and views since a time."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, models
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone

from footfall.events import MAX_KEY_LENGTH
from footfall.registry import (
    content_type_of,
    database_of,
    is_keyed,
    key_attribute,
    own_field,
    owner_of,
)

Model = TypeVar("Model", bound=models.Model, covariant=True)  # as Django's stubs
HOUR = timedelta(hours=1)
KEPT = (
    "_fields",
    "_for_write",
    "_iterable_class",
    "_known_related_objects",
    "_prefetch_related_lookups",
    "_sticky_filter",
)
"""What a queryset of Django has beside its query, and gives to its copies."""
INTEGER: Any = models.BigIntegerField()
TEXT: Any = models.CharField(max_length=MAX_KEY_LENGTH)


def beginning_of(days: float) -> datetime:
    """Return where the last so many times 24 hours begin, the current hour being the last one."""
    return timezone.now() - timedelta(days=days) + HOUR


class LookedUp(models.Func):
    """The number that a JSON object, the first argument, has at a text, the second; else 0."""

    output_field = INTEGER

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "COALESCE((%(expressions)s)::bigint, 0)"
        return self.as_sql(compiler, connection, template=template, arg_joiner="::jsonb ->> ")

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        (text, key) = self.source_expressions
        texts, first = compiler.compile(text)
        keys, second = compiler.compile(key)
        found = f"SELECT value FROM json_each({texts}) WHERE key = {keys}"  # noqa: S608
        return f"COALESCE(({found}), 0)", (*first, *second)

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        (text, key) = self.source_expressions
        texts, first = compiler.compile(text)
        keys, second = compiler.compile(key)
        found = f"JSON_EXTRACT({texts}, CONCAT('$.', JSON_QUOTE({keys})))"
        return f"COALESCE(CAST({found} AS SIGNED), 0)", (*first, *second)


def counter_of_rows(model: type[models.Model]) -> Any:
    """Return the counter as an expression of queries for a countable model."""
    if field := own_field(model):
        return models.F(field.name)
    rows = _table("KeptCounter", model)
    if _is_elsewhere(model):
        known = dict(rows.filter(counter__gt=0).values_list(_key_name(model), "counter"))
        return _looked_up(model, known)
    return _number(rows.filter(**{_key_name(model): _key(model)}).values("counter")[:1])


def views_of_rows(model: type[models.Model], since: datetime) -> Any:
    """Return the views since an hour as an expression of queries for a countable model."""
    hour = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    rollups = _table("Rollup", model).filter(hour__gte=hour).order_by()
    sums = rollups.values("target_id").annotate(sum=models.Sum("views"))
    if _is_elsewhere(model):
        return _looked_up(model, _by_key(model, dict(sums.values_list("target_id", "sum"))))
    target: Any = _key(model)
    if is_keyed(model):
        of_key = _table("KeptCounter", model).filter(name=_key(model, levels=2))
        target = models.Subquery(of_key.values("target_id")[:1])
    return _number(sums.filter(target_id=target).values("sum"))


def _table(name: str, model: type[models.Model]) -> Any:
    """Return the rows of a table of the counting that are of one model."""
    table = apps.get_model("counters", name)._default_manager
    return table.filter(content_type=content_type_of(owner_of(model)))


def _number(rows: models.QuerySet[Any]) -> Any:
    return Coalesce(models.Subquery(rows, output_field=INTEGER), 0, output_field=INTEGER)


def _is_elsewhere(model: type[models.Model]) -> bool:
    return database_of(model) != DEFAULT_DB_ALIAS


def _key_name(model: type[models.Model]) -> str:
    """Return the column of `KeptCounter` that has the keys."""
    return "name" if is_keyed(model) else "target_id"


def _key(model: type[models.Model], *, levels: int = 1) -> Any:
    """Return the key of a row, so many queries further out, as `KeptCounter` has it."""
    key: Any = key_attribute(model)
    for _ in range(levels):
        key = models.OuterRef(key)
    return Cast(key, TEXT) if is_keyed(model) else key


def _by_key(model: type[models.Model], views: Mapping[int, int]) -> Mapping[Any, int]:
    """Return views of targets, by id, by their keys as text of the database."""
    if not is_keyed(model):
        return views
    names = dict(_table("KeptCounter", model).values_list("target_id", "name"))
    return {names[target]: n for target, n in views.items() if target in names}


def _looked_up(model: type[models.Model], known: Mapping[Any, int]) -> Any:
    """Return the number that is known of a row, in a statement of another database."""
    texts = json.dumps({str(key): n for key, n in known.items()})
    return LookedUp(models.Value(texts), Cast(models.F(key_attribute(model)), TEXT))


class CountableQuerySet(models.QuerySet[Model]):
    """For a countable model; `Countable` has it as `objects`.

    For a model that is not yours: `CountableQuerySet.of(Page)`, or `.of(Page.objects.live())`. For
    a manager of your own: `objects = CountableQuerySet.as_manager()`, or
    `YourManager.from_queryset(CountableQuerySet)()`.
    """

    @classmethod
    def of(cls, rows: Any) -> Self:
        """Return one of a model that is not yours, or of the rows of a queryset."""
        if not isinstance(rows, models.QuerySet):
            return cls(model=rows)
        found: Any = rows._chain()  # type: ignore[attr-defined]
        made: Any = cls(found.model, found.query, found._db, found._hints)
        vars(made).update({name: vars(found)[name] for name in KEPT})
        return made  # type: ignore[no-any-return]

    def with_counter(self, *, name: str = "counter") -> Self:
        """Annotate each object with its counter, an integer called `name`: for models without one.

        Raises TypeError if the model is not countable.
        """
        return self.annotate(**{name: counter_of_rows(self.model)})

    def with_views(self, *, since: datetime, name: str = "views") -> Self:
        """Annotate each object with its views since a time, an integer called `name`.

        since: aware; the whole hour in which it is counts. Views are some ten seconds old. Those
        that were counted before there were rollups, or adjusted, are in the counter alone. Raises
        ValueError without a time zone, and TypeError if the model is not countable.

        For a model in another database the views of all its objects are read here and now.
        """
        if since.tzinfo is None:
            raise ValueError(f"since has no time zone: {since}")
        return self.annotate(**{name: views_of_rows(self.model, since)})

    def most_viewed(self, *, days: float | None = None, name: str = "views") -> Self:
        """Order by views, most first, without what has none; it can be filtered further and cut.

        days: count the last so many times 24 hours, the current hour being the last one, and call
        the views `name`: see `with_views`. None: order by the counter.
        """
        if days is None:
            field = own_field(self.model)
            counter = field.name if field else "counter"
            rows = self if field else self.with_counter(name=counter)
            return rows.filter(**{f"{counter}__gt": 0}).order_by(f"-{counter}", "pk")
        return (
            self.with_views(since=beginning_of(days), name=name)
            .filter(**{f"{name}__gt": 0})
            .order_by(f"-{name}", "pk")
        )
