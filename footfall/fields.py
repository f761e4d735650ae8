"""The field of a counter, which `save()` does not write."""

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core import checks
from django.db import models
from django.db.models.expressions import Combinable
from django.db.models.signals import pre_save

from footfall.events import MAX_KEY_LENGTH
from footfall.policies import Everything, Exclude, Policy

if TYPE_CHECKING:
    BaseField = models.PositiveBigIntegerField[int | Combinable, int]
else:
    BaseField = models.PositiveBigIntegerField


class CounterField(BaseField):
    """Views counted so far: 0 or more.

    `save()` leaves the column as it is: an instance has the value from when it was read, and to
    write that back would undo what was counted since. A new row starts at 0, a copy too.
    `loaddata` leaves it as well; a row that is new has what the dump says.
    `QuerySet.update()` does write it, as only adjustments and repairs do.

    policy: what is counted; every view, unless it is given.
    exclude: whose views are not recorded. Neither is in a migration.
    """

    def __init__(
        self,
        *args: Any,
        policy: Policy | None = None,
        exclude: Exclude | None = None,
        **kwargs: Any,
    ) -> None:
        self.policy = policy or Everything()
        self.exclude = exclude
        kwargs.setdefault("default", 0)
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)

    def pre_save(self, model_instance: models.Model, add: bool) -> int | Combinable:
        if not add:
            return models.F(self.attname)
        setattr(model_instance, self.attname, 0)
        return 0

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        found = [*super().check(**kwargs), *check_owner(self.model, self.exclude)]
        meta = self.model._meta
        found += check_key(self.model)
        counters = [one for one in meta.concrete_fields if isinstance(one, CounterField)]
        if len(counters) > 1:
            names = " and ".join(str(one) for one in counters)
            text = f"{meta.label} has more than one counter, {names}: a view increases the first."
            found.append(checks.Error(text, obj=self, id="counters.E004"))
        return found


def check_owner(model: type[models.Model], exclude: Exclude | None) -> list[checks.CheckMessage]:
    """Refuse to exclude views by an owner that the model does not have."""
    name = exclude.owner.partition("__")[0] if exclude else ""
    names = {field.name for field in model._meta.get_fields()}
    if not name or name in names:
        return []
    error = checks.Error(
        f"The owner whose views are excluded is no field of the model: {name!r}.",
        obj=model,
        id="counters.E008",
    )
    return [error]


def key_field(model: type[models.Model]) -> Any:
    """Return the field of the primary key: itself, or that of the row which it refers to."""
    key: Any = model._meta.pk
    while isinstance(key, models.ForeignKey):
        key = key.target_field
    return key


def has_integer_key(model: type[models.Model]) -> bool:
    return isinstance(key_field(model), models.IntegerField)


def check_key(model: type[models.Model]) -> list[checks.CheckMessage]:
    """Refuse a key that names no target: several columns, or one of which a text is not exact."""
    meta, key = model._meta, key_field(model)
    longest = getattr(key, "max_length", None) or 0
    if isinstance(key, models.CharField) and longest <= MAX_KEY_LENGTH:
        return []
    if isinstance(key, models.IntegerField | models.UUIDField):
        return []
    kind = type(meta.pk).__name__
    text = f"Views of {meta.label} cannot be counted by its primary key, a {kind}."
    hint = (
        f"It has to be one column: an integer, a UUID, or a text of at most {MAX_KEY_LENGTH}"
        " characters. Count a model with such a key that refers to this one."
    )
    return [checks.Error(text, hint=hint, obj=model, id="counters.E003")]


def keep_counters(
    sender: type[models.Model],
    instance: models.Model,
    raw: bool,
    using: str | None = None,
    **kwargs: Any,
) -> None:
    """Have `loaddata` leave the counters of rows that are there: it does not ask `pre_save`.

    It saves parents as rows of their own, so only the fields of the model itself are written. What
    a new row has nothing explains: from then on no repair takes it away, until it is adopted.
    """
    if not raw:
        return
    model = sender._meta.concrete_model or sender
    counters = [one for one in model._meta.local_concrete_fields if isinstance(one, CounterField)]
    if not counters:
        return
    if model._base_manager.using(using).filter(pk=instance.pk).exists():
        for counter in counters:
            setattr(instance, counter.attname, models.F(counter.attname))
    elif any(getattr(instance, counter.attname) for counter in counters):
        projections = apps.get_model("counters", "Projection")._default_manager
        rows = projections.filter(name=f"totals:{model._meta.label_lower}", counted_before="no")
        rows.update(counted_before="yes")


pre_save.connect(keep_counters, dispatch_uid="counters.keep_counters")
