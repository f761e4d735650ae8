"""Querysets of countable models: what is viewed most, and views since a time."""

from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

from django.apps import apps
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone

from footfall.registry import content_type_of, counter_field, key_attribute

Model = TypeVar("Model", bound=models.Model, covariant=True)  # as Django's stubs
HOUR = timedelta(hours=1)


class CountableQuerySet(models.QuerySet[Model]):
    """For a model with a `CounterField`; `Countable` has it as `objects`.

    For a manager of your own: `objects = CountableQuerySet.as_manager()`, or
    `YourManager.from_queryset(CountableQuerySet)()`.
    """

    def with_views(self, *, since: datetime, name: str = "views") -> Self:
        """Annotate each object with its views since a time, an integer called `name`.

        since: aware; the whole hour in which it is counts. Views are some ten seconds old. Those
        that were counted before there were rollups, or adjusted, are in the counter alone. Raises
        ValueError without a time zone, and TypeError if the model is not countable.
        """
        if since.tzinfo is None:
            raise ValueError(f"since has no time zone: {since}")
        model = counter_field(self.model).model
        rollups: Any = apps.get_model("counters", "Rollup")._default_manager
        views = (
            rollups.filter(
                content_type=content_type_of(model),
                target_id=models.OuterRef(key_attribute(self.model)),
                hour__gte=since.astimezone(UTC).replace(minute=0, second=0, microsecond=0),
            )
            .order_by()
            .values("target_id")
            .annotate(sum=models.Sum("views"))
            .values("sum")
        )
        integer = models.BigIntegerField()
        found: Any = Coalesce(models.Subquery(views, output_field=integer), 0, output_field=integer)
        return self.annotate(**{name: found})

    def most_viewed(self, *, days: float | None = None, name: str = "views") -> Self:
        """Order by views, most first, without what has none; it can be filtered further and cut.

        days: count the last so many times 24 hours, the current hour being the last one, and call
        the views `name`: see `with_views`. None: order by the counter.
        """
        if days is None:
            counter = counter_field(self.model).name
            return self.filter(**{f"{counter}__gt": 0}).order_by(f"-{counter}", "pk")
        since = timezone.now() - timedelta(days=days) + HOUR
        return (
            self.with_views(since=since, name=name)
            .filter(**{f"{name}__gt": 0})
            .order_by(f"-{name}", "pk")
        )
