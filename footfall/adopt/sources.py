"""Where views were counted before: what there is to ask, a column, a hash of Redis."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

import redis
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models

from footfall.common.chunks import chunks
from footfall.events import BIGINT
from footfall.fields import CounterField, key_field
from footfall.models import Kind
from footfall.registry import database_of, owner_of

CHUNK_SIZE = 1_000  # targets that are read at a time
REDIS_TIMEOUT = 10.0  # seconds
MAX_COUNT = 10**15
"""Of one key: what counters may be set to."""

Key = Any
"""A primary key of the model."""
Hits = Mapping[Key, Counter[tuple[int, Kind]]]
"""Views by key; then by hour since 1970 and kind of agent."""


class NotFound(Exception):
    """The source is not there, or is none; the message says what is missing."""


class Source(Protocol):
    """Counts of one model, made by something else. They may grow between two runs."""

    name: str
    """Names it in the ledger: what was taken from a source of this name is not taken again."""
    unreadable: list[str]
    """What was no count, as far as it was read."""

    def counts(self) -> Iterator[Mapping[Key, int]]:
        """Yield views by key, `CHUNK_SIZE` at a time, in total. Raises NotFound."""

    def hits(self, since: Mapping[Key, datetime | None]) -> Hits:
        """Return the single views of these keys that are kept; only those after a time, if given.

        There may be more of them than the source has counted, or fewer.
        """


class Column:
    """An integer column of the model, beside its counter."""

    def __init__(self, model: type[models.Model], name: str) -> None:
        model = owner_of(model)
        try:
            field = model._meta.get_field(name)
        except FieldDoesNotExist:
            field = None
        if isinstance(field, CounterField):
            raise NotFound(f"{name} is the counter itself: leave out --column")
        if not isinstance(field, models.IntegerField):
            raise NotFound(f"{model._meta.label} has no integer column {name!r}")
        self.name, self.unreadable = f"{model._meta.db_table}.{field.column}", list[str]()
        self._rows = model._base_manager.using(database_of(model))
        self._field = field.attname

    def counts(self) -> Iterator[Mapping[Key, int]]:
        rows = self._rows.order_by("pk")
        rows = rows.filter(**{f"{self._field}__gt": 0})
        found = dict(rows.values_list("pk", self._field)[:CHUNK_SIZE])
        while found:
            yield found
            after = list(found)[-1]
            some = rows.filter(pk__gt=after).values_list("pk", self._field)[:CHUNK_SIZE]
            found = dict(some)

    def hits(self, since: Mapping[Key, datetime | None]) -> Hits:
        return {}


class RedisHash:
    """A hash of Redis: its fields are keys, perhaps with a prefix, and its values are counts.

    Other fields of the same hash, with another prefix, are another source.
    """

    def __init__(self, model: type[models.Model], url: str, key: str, prefix: str = "") -> None:
        fields = f" {prefix}*" if prefix else ""
        self.name, self.unreadable = f"redis {key}{fields}", list[str]()
        self._url, self._key, self._prefix = url, key, prefix
        self._to_key = key_field(owner_of(model)).to_python

    def counts(self) -> Iterator[Mapping[Key, int]]:
        try:
            server = redis.Redis.from_url(
                self._url, socket_timeout=REDIS_TIMEOUT, socket_connect_timeout=REDIS_TIMEOUT
            )
        except ValueError as error:
            raise NotFound(f"name the server of the hash with --redis-url: {error}") from error
        try:
            if not server.exists(self._key):
                raise NotFound(f"there is no hash {self._key!r} in this Redis")
            fields = dict(server.hscan_iter(self._key, count=CHUNK_SIZE))  # some may come twice
            counts = Counter[Key]()
            for key, views in filter(None, map(self._parsed, fields.items())):
                counts[key] += views  # a key may be written in several ways
            for some in chunks(list(counts.items()), CHUNK_SIZE):
                yield dict(some)
        except redis.RedisError as error:
            raise NotFound(f"the hash {self._key!r} cannot be read: {error}") from error
        finally:
            server.close()

    def _parsed(self, pair: tuple[bytes, bytes]) -> tuple[Key, int] | None:
        """Return key and count of a field; None, and a note, if it is none."""
        text, value = (part.decode(errors="replace") for part in pair)
        name = text.removeprefix(self._prefix)
        try:
            key = self._to_key(name)
            if isinstance(key, int) and not 0 < key < BIGINT:
                raise ValueError(key)
            if not text.startswith(self._prefix) or not (value.isascii() and value.isdecimal()):
                raise ValueError(value)
            if int(value) > MAX_COUNT:
                raise ValueError(value)
        except (ValueError, ValidationError):
            self.unreadable.append(f"{text[:60]}: {value[:60]}")
            return None
        return key, int(value)

    def hits(self, since: Mapping[Key, datetime | None]) -> Hits:
        return {}
