"""Querysets of countable models: what is viewed most, and views since a time."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, models
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone

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
INTEGER: Any = models.BigIntegerField()


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


def _table(name: str) -> Any:
    return apps.get_model("counters", name)._default_manager.all()


def _number(rows: models.QuerySet[Any]) -> Any:
    return Coalesce(models.Subquery(rows, output_field=INTEGER), 0, output_field=INTEGER)


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
        found: Any = rows
        return cls(found.model, found.query.chain(), found._db, found._hints)

    def with_counter(self, *, name: str = "counter") -> Self:
        """Annotate each object with its counter, an integer called `name`: for models without one.

        Raises TypeError if the model is not countable.
        """
        if field := own_field(self.model):
            return self.annotate(**{name: models.F(field.name)})
        rows = _table("KeptCounter").filter(content_type=content_type_of(owner_of(self.model)))
        if self._is_elsewhere():
            known = dict(rows.filter(counter__gt=0).values_list(self._key_name(), "counter"))
            return self.annotate(**{name: self._looked_up(known)})
        rows = rows.filter(**{self._key_name(): self._key(models.OuterRef)})
        return self.annotate(**{name: _number(rows.values("counter")[:1])})

    def with_views(self, *, since: datetime, name: str = "views") -> Self:
        """Annotate each object with its views since a time, an integer called `name`.

        since: aware; the whole hour in which it is counts. Views are some ten seconds old. Those
        that were counted before there were rollups, or adjusted, are in the counter alone. Raises
        ValueError without a time zone, and TypeError if the model is not countable.

        For a model in another database the views of all its objects are read here and now.
        """
        if since.tzinfo is None:
            raise ValueError(f"since has no time zone: {since}")
        kind = content_type_of(owner_of(self.model))
        hour = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        rollups = _table("Rollup").filter(content_type=kind, hour__gte=hour).order_by()
        sums = rollups.values("target_id").annotate(sum=models.Sum("views"))
        if self._is_elsewhere():
            found = dict(sums.values_list("target_id", "sum"))
            return self.annotate(**{name: self._looked_up(self._by_key(found))})
        target: Any = models.OuterRef(key_attribute(self.model))
        if is_keyed(self.model):
            name_of_row = self._key(lambda name: models.OuterRef(models.OuterRef(name)))
            of_key = _table("KeptCounter").filter(content_type=kind, name=name_of_row)
            target = models.Subquery(of_key.values("target_id")[:1])
        return self.annotate(**{name: _number(sums.filter(target_id=target).values("sum"))})

    def _is_elsewhere(self) -> bool:
        return database_of(self.model) != DEFAULT_DB_ALIAS

    def _key_name(self) -> str:
        """Return the column of `KeptCounter` that has the keys."""
        return "name" if is_keyed(self.model) else "target_id"

    def _key(self, refer: Callable[[str], Any]) -> Any:
        """Return the key of an object as `KeptCounter` has it."""
        key = refer(key_attribute(self.model))
        return Cast(key, models.CharField(max_length=255)) if is_keyed(self.model) else key

    def _by_key(self, views: Mapping[int, int]) -> dict[Any, int]:
        """Return views of targets, by id, by their keys as text of the database."""
        if not is_keyed(self.model):
            return {**views}
        kept = _table("KeptCounter").filter(content_type=content_type_of(owner_of(self.model)))
        names = dict(kept.values_list("target_id", "name"))
        return {names[target]: n for target, n in views.items() if target in names}

    def _looked_up(self, known: Mapping[Any, int]) -> Any:
        """Return the number that is known of an object, in a statement of another database."""
        texts = json.dumps({str(key): n for key, n in known.items()})
        key = Cast(models.F(key_attribute(self.model)), models.CharField(max_length=255))
        return LookedUp(models.Value(texts), key)

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
        since = timezone.now() - timedelta(days=days) + HOUR
        return (
            self.with_views(since=since, name=name)
            .filter(**{f"{name}__gt": 0})
            .order_by(f"-{name}", "pk")
        )
