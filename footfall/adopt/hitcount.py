"""The tables of django-hitcount and dj-hitcount, read without either of them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.apps.registry import Apps
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import connection, models
from django.db.models import Sum

from footfall import registry
from footfall.adopt.sources import CHUNK_SIZE, Hits, Key, NotFound
from footfall.fields import key_field
from footfall.models import AgentRule, How, Kind
from footfall.registry import owner_of
from footfall.viewers.addresses import is_in, networks, packed
from footfall.viewers.rules import Rules, checked

HOUR = 3_600  # seconds
MAX_KINDS = 65_536  # user agents whose kind is remembered
TOTALS, HITS = "hitcount_hit_count", "hitcount_hit"
"""Their tables, unless a project has models of its own."""


class Hitcount:
    """The tables of django-hitcount and dj-hitcount. Neither needs to be installed."""

    def __init__(
        self,
        model: type[models.Model],
        counts: str = TOTALS,
        hits: str = HITS,
    ) -> None:
        self.name, self.unreadable = counts, list[str]()
        there = connection.introspection.table_names()
        if counts not in there:
            raise NotFound(f"there is no table {counts}: name it with --table")
        self._counts, hit = _tables(model, counts, hits)
        self._hits = hit if hits in there else None
        self._types = _content_types(model)
        self._kind = _kinds()

    def counts(self) -> Iterator[Mapping[Key, int]]:
        rows = self._counts._base_manager.filter(content_type_id__in=self._types, hits__gt=0)
        sums = rows.values_list("object_pk").annotate(n=Sum("hits")).order_by("object_pk")
        found = dict(sums[:CHUNK_SIZE])
        while found:
            yield {key: int(views) for key, views in found.items()}
            found = dict(sums.filter(object_pk__gt=list(found)[-1])[:CHUNK_SIZE])

    def hits(self, since: Mapping[Key, datetime | None]) -> Hits:
        found: dict[Key, Counter[tuple[int, Kind]]] = {}
        if self._hits is None or not since:
            return found
        rows = self._hits._base_manager.filter(
            hitcount__content_type_id__in=self._types, hitcount__object_pk__in=list(since)
        )
        fields = ("hitcount__object_pk", "created", "user_agent", "ip")
        for key, at, string, address in rows.order_by().values_list(*fields).iterator():
            after = since[key]
            if after is None or at > after:
                hour = int(at.timestamp()) // HOUR
                found.setdefault(key, Counter())[hour, self._kind(string, address or "")] += 1
        return found


def make_rules(*, dry_run: bool = False) -> int:
    """Make a rule of each user agent and address that is blocked there, unless there is one.

    Returns how many. An agent is a robot then, an address one of monitors: neither is a person.
    """
    there = {*connection.introspection.table_names()}
    match, made = AgentRule.Match, 0
    for table, column, how, kind in (
        ("hitcount_blacklist_user_agent", "user_agent", match.EXACT, Kind.ROBOT),
        ("hitcount_blockeduseragent", "user_agent", match.EXACT, Kind.ROBOT),
        ("hitcount_blacklist_ip", "ip", match.ADDRESSES, Kind.MONITOR),
        ("hitcount_blockedip", "ip", match.ADDRESSES, Kind.MONITOR),
    ):
        if table not in there:
            continue
        blocked = _model(
            "Blocked",
            {"app_label": "hitcount", "apps": Apps(), "managed": False, "db_table": table},
            id=models.BigIntegerField(primary_key=True),
            value=models.CharField(max_length=255, db_column=column),
        )
        for text in blocked._base_manager.order_by("pk").values_list("value", flat=True):
            with suppress(ValidationError):  # it matches nothing, or everything
                rule = {"match": how, "value": checked(how, text)}
                if not AgentRule.objects.filter(**rule).exists():
                    made += 1
                    if not dry_run:
                        AgentRule.objects.create(**rule, kind=kind, note="blocked by hitcount")
    return made


def _tables(
    model: type[models.Model], counts: str, hits: str
) -> tuple[type[models.Model], type[models.Model]]:
    """Return models of these tables that no other code sees."""
    only = {"app_label": "hitcount", "apps": Apps(), "managed": False}
    key: Any = key_field(owner_of(model))
    of_key = models.BigIntegerField() if isinstance(key, models.IntegerField) else key.clone()
    of_key.primary_key = False
    count = _model(
        "HitCount",
        {**only, "db_table": counts},
        id=models.BigIntegerField(primary_key=True),
        hits=models.BigIntegerField(),
        content_type_id=models.IntegerField(),
        object_pk=of_key,
    )
    hit = _model(
        "Hit",
        {**only, "db_table": hits},
        id=models.BigIntegerField(primary_key=True),
        created=models.DateTimeField(),
        ip=models.CharField(max_length=40, null=True),
        user_agent=models.CharField(max_length=255),
        hitcount=models.ForeignKey(count, models.DO_NOTHING, related_name="+"),
    )
    return count, hit


def _model(name: str, meta: dict[str, Any], **fields: Any) -> Any:
    return type(
        name, (models.Model,), {"__module__": __name__, "Meta": type("Meta", (), meta), **fields}
    )


def _content_types(model: type[models.Model]) -> Sequence[int]:
    """Return the content types under which objects of the model may have been counted.

    That of the model, of its proxies, and of children that have its key as their own.
    """
    owner = owner_of(model)
    names = [
        (one._meta.app_label, one._meta.model_name)
        for one in registry.all_models()
        if issubclass(one, owner) and _root_key(one) == _root_key(owner)
    ]
    types = ContentType.objects.filter(app_label__in={app for app, _ in names})
    return [one.pk for one in types if (one.app_label, one.model) in names]


def _root_key(model: type[models.Model]) -> Any:
    key: Any = model._meta.pk
    while key.remote_field and key.remote_field.parent_link:
        key = key.target_field
    return key


def _kinds() -> Callable[[str, str], Kind]:
    """Return what tells the kind of a view, as today's list and rules have it."""
    rules = Rules.read()
    own = AgentRule.objects.filter(match=AgentRule.Match.ADDRESSES).order_by("pk")
    monitors = networks(own.values_list("value", flat=True))
    wanted = lru_cache(MAX_KINDS)(rules.wanted)

    def kind(string: str, address: str) -> Kind:
        is_monitor = monitors and address and is_in(packed(address), monitors)
        return wanted(string, How.MONITOR if is_monitor else How.PLAIN)

    return kind
