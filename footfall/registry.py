"""Which models are countable, and where their counters are.

A model with a `CounterField` and an integer key, in the database of the event store, has them in
its own table. Those of all others are in `KeptCounter`: of models without such a field, of other
keys, of other databases. Such a model has a *stand-in*, a model of these rows with an integer key:
whatever counts, compares or corrects counters does it there, the same way for all.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar

from django.apps import apps
from django.apps.registry import Apps
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.signals import setting_changed
from django.db import DEFAULT_DB_ALIAS, models, router

from footfall.events import MAX_KEY_LENGTH, id_of
from footfall.fields import CounterField, has_integer_key, key_field
from footfall.policies import Exclude, Policy

T = TypeVar("T", bound=Callable[..., Any])
KEPT_TABLE = "counters_keptcounter"
_caches: list[Any] = []


class Registered(NamedTuple):
    """What is counted of a model without a `CounterField`."""

    policy: Policy | None = None
    exclude: Exclude | None = None


_registered: dict[str, Registered] = {}
_listeners: list[Callable[[], object]] = []


def _cached(function: T) -> T:
    """Cache it until another model is registered, or settings that say what is counted change."""
    found: Any = cache(function)
    _caches.append(found)
    return found  # type: ignore[no-any-return]


def forget_models() -> None:
    """Find out again which models are countable."""
    for one in _caches:
        one.cache_clear()


def _on_change(*, setting: str, **kwargs: object) -> None:
    if setting in ("COUNTERS_MODELS", "DATABASE_ROUTERS", "INSTALLED_APPS"):
        forget_models()


setting_changed.connect(_on_change, dispatch_uid="counters.registry")


def register(
    model: type[models.Model] | str,
    *,
    policy: Policy | None = None,
    exclude: Exclude | None = None,
) -> None:
    """Count a model that is not yours: "wagtailcore.Page". Call it in `AppConfig.ready()`.

    policy, exclude: as of a `CounterField`. The setting COUNTERS_MODELS does it without either.
    """
    label = model if isinstance(model, str) else model._meta.label
    _registered[label.lower()] = Registered(policy, exclude)
    forget_models()
    for listener in _listeners:
        listener()


def call_when_registered(listener: Callable[[], object]) -> None:
    """Call it after each `register` from now on: some apps are ready after this one."""
    if listener not in _listeners:
        _listeners.append(listener)


@_cached
def registered() -> dict[str, Registered]:
    """Return what is counted of models without a `CounterField`, by their labels."""
    listed = getattr(settings, "COUNTERS_MODELS", ())
    if not isinstance(listed, list):  # E001 says so
        listed = ()
    return {label.lower(): Registered() for label in listed} | _registered


@_cached
def countable_models() -> dict[str, type[models.Model]]:
    """Return, by the label of every countable model, the model that has its counters.

    That is itself, {"pages.content": Content}, or its stand-in.
    """
    return {model._meta.label_lower: _home(model) for model in all_models() if _is_owner(model)}


def all_models() -> list[type[models.Model]]:
    """Return the models of the project."""
    return list(apps.get_models())


def _is_owner(model: type[models.Model]) -> bool:
    if any(isinstance(field, CounterField) for field in model._meta.local_fields):
        return True
    if model._meta.label_lower not in registered() or model._meta.proxy:
        return False
    return own_field(model) is None


def own_field(model: type[models.Model]) -> CounterField | None:
    """Return the `CounterField` in a model's own tables; None without one."""
    fields = getattr(model, "stands_for", model)._meta.concrete_fields
    return next((field for field in fields if isinstance(field, CounterField)), None)


@_cached
def owner_of(model: type[models.Model]) -> type[models.Model]:
    """Return the model as which one is counted, of those of the project: itself, or a parent.

    Raises TypeError if it is not countable.
    """
    model = getattr(model, "stands_for", model)
    if field := own_field(model):
        return field.model
    found: Any = model._meta.concrete_model or model
    for one in (found, *found._meta.all_parents):
        if one._meta.label_lower in registered():
            owner: type[models.Model] = one
            return owner
    raise TypeError(f"{model._meta.label} is not countable: it has no CounterField.")


@_cached
def database_of(model: type[models.Model]) -> str:
    """Return the alias of the database that has the rows of a countable model."""
    alias: str = router.db_for_write(owner_of(model))
    return alias


@_cached
def is_kept(model: type[models.Model]) -> bool:
    """Tell whether its counters are in `KeptCounter`: this is a stand-in, or has one."""
    return hasattr(counter_field(model).model, "stands_for")


@_cached
def is_copied(model: type[models.Model]) -> bool:
    """Tell whether its counters are kept, and copied into a field of its own."""
    return is_kept(model) and own_field(model) is not None


@_cached
def is_keyed(model: type[models.Model]) -> bool:
    """Tell whether its ids are hashes of its keys."""
    return not has_integer_key(owner_of(model))


@_cached
def _home(owner: type[models.Model]) -> type[models.Model]:
    """Return the model that has the counters: itself, or its stand-in."""
    field = own_field(owner)
    if field and has_integer_key(owner) and router.db_for_write(owner) == DEFAULT_DB_ALIAS:
        return owner
    what = registered().get(owner._meta.label_lower, Registered())
    return _stand_in(owner, field or CounterField(policy=what.policy, exclude=what.exclude))


class _StandInManager(models.Manager[models.Model]):
    def get_queryset(self) -> models.QuerySet[models.Model]:
        rows = super().get_queryset().using(DEFAULT_DB_ALIAS)  # wherever routers have the model
        return rows.filter(content_type_id=content_type_of(self.model).pk)


def _stand_in(owner: type[models.Model], field: CounterField) -> type[models.Model]:
    """Return a model of the rows of `KeptCounter` that are of `owner`, with the label of that."""
    meta = {
        "apps": Apps(),
        "app_label": owner._meta.app_label,
        "db_table": KEPT_TABLE,
        "managed": False,
        "base_manager_name": "objects",
        "verbose_name": owner._meta.verbose_name,
        "verbose_name_plural": owner._meta.verbose_name_plural,
    }
    attributes = {
        "__module__": owner.__module__,
        "Meta": type("Meta", (), meta),
        "target_id": models.BigIntegerField(primary_key=True),
        "content_type_id": models.IntegerField(),
        "name": models.CharField(max_length=MAX_KEY_LENGTH, null=True),
        "counter": CounterField(policy=field.policy, exclude=field.exclude),
        "changes": models.BigIntegerField(default=0),
        "objects": _StandInManager(),
        "stands_for": owner,
    }
    return type(owner.__name__, (models.Model,), attributes)


@_cached
def counter_field(model: type[models.Model]) -> CounterField:
    """Return the counter of a model, perhaps one that it inherits, or that of its stand-in.

    Raises TypeError if the model is not countable.
    """
    home = model if hasattr(model, "stands_for") else _home(owner_of(model))
    fields = home._meta.concrete_fields
    return next(field for field in fields if isinstance(field, CounterField))


def policy_of(model: type[models.Model]) -> Policy:
    """Return what the counter of a model counts. Raises TypeError if it is not countable."""
    return counter_field(model).policy


def limits() -> dict[str, Policy]:
    """Return the policies that count by visitor, by the label of their model."""
    models_by_label = countable_models().items()
    found = {label: policy_of(model) for label, model in models_by_label}
    return {label: policy for label, policy in found.items() if policy.most}


@_cached
def counted_as(model: type[models.Model]) -> str:
    """Return the label under which `model` is counted: that of the model that has the counter.

    Raises TypeError if the model is not countable.
    """
    return counter_field(model).model._meta.label_lower


@_cached
def key_attribute(model: type[models.Model]) -> str:
    """Return the attribute that has the key under which instances of `model` are counted.

    That of the model that has the counter: a child may have a primary key of its own.
    """
    return owner_of(model)._meta.pk.attname


@_cached
def has_own_key(model: type[models.Model]) -> bool:
    """Tell whether a child has a primary key that is not the key under which it is counted."""
    field: Any = getattr(model, "stands_for", model)._meta.pk
    while getattr(field.remote_field, "parent_link", False):
        field = field.related_model._meta.pk
    return field is not owner_of(model)._meta.pk


class How(NamedTuple):
    """What `record` asks about a model, in one look-up."""

    label: str
    attribute: str
    is_keyed: bool
    database: str

    @property
    def is_plain(self) -> bool:
        return not self.is_keyed and self.database == DEFAULT_DB_ALIAS


@_cached
def how_counted(model: type[models.Model]) -> How:
    """Return how instances of a model are counted. Raises TypeError if it is not countable."""
    return How(counted_as(model), key_attribute(model), is_keyed(model), database_of(model))


@_cached
def is_plain(model: type[models.Model]) -> bool:
    """Tell whether a model has an integer key, and is in the database of the event store."""
    return how_counted(model).is_plain


def key_of(target: models.Model) -> int | None:
    """Return the id under which a countable instance is counted; None if it is not saved yet."""
    key: Any = getattr(target, key_attribute(type(target)))
    if is_keyed(type(target)):
        name = name_of_key(target)
        return None if name is None else id_of(name)
    return key  # type: ignore[no-any-return]


def name_of_key(target: models.Model) -> str | None:
    """Return the key of an instance that is no integer, as text; None if it is not saved yet."""
    key: Any = getattr(target, key_attribute(type(target)))
    is_new = key is None or target._state.adding  # a UUID is there before the row is
    return None if is_new else str(key)


def id_in(model: type[models.Model], key: Any) -> int:
    """Return the id under which the row of a countable model with this primary key is counted.

    Raises ValidationError for what cannot be a key of it.
    """
    value = key_field(owner_of(model)).to_python(key)
    return id_of(str(value)) if is_keyed(model) else int(value)


def content_type_of(model: type[models.Model]) -> ContentType:
    """Return the content type that stands for a countable model in the rollups."""
    model = getattr(model, "stands_for", model)
    return ContentType.objects.get_for_model(model, for_concrete_model=False)


def counter_of(target: models.Model) -> int:
    """Return the counter of a countable instance: as it was read, if its model has a field."""
    if field := own_field(type(target)):
        return int(getattr(target, field.attname))
    rows = counter_field(type(target)).model._base_manager.filter(pk=key_of(target))
    found: int | None = rows.values_list("counter", flat=True).first()
    return found or 0
