"""Events of people and of robots in the store, and how many visitors were counted."""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from hashlib import blake2b
from itertools import count, repeat

from django.db import transaction
from django.utils import timezone

from catalog.pages.models import Content
from footfall import events
from footfall.events import Meta, encode_meta
from footfall.models import Agent, StorePosition, VisitorSketch
from footfall.projections.rows import open_projections
from footfall.registry import content_type_of
from footfall.store.append import append
from footfall.viewers.classify import classify
from tests.support.agents import BROWSER
from tests.support.agents import ROBOT as GOOGLE
from tests.support.store import Stored, built
from tests.support.views import AT

PERSON, ROBOT, NEW = 0x1111, 0x2222, 0x3333
"""Agents; nobody knows yet that NEW is a robot."""
DAY = 86_400_000
TODAY = AT // DAY * DAY
"""The first moment of the day of AT: milliseconds since 1970."""
_sequences = count()


def know_agents() -> None:
    """Insert the agents."""
    strings = {PERSON: BROWSER, ROBOT: GOOGLE, NEW: BROWSER.replace("140", "141")}
    Agent.objects.bulk_create(
        Agent(hash=one, string=string, kind=classify(string)) for one, string in strings.items()
    )


def people(number: int, seed: int = 1) -> list[int]:
    """Return so many different visitors, as hashes are."""
    source = random.Random(seed)
    return [source.getrandbits(63) * 2 + 1 for _ in range(number)]


def visit(
    targets: Mapping[str, Collection[int]],
    visitors: Iterable[int],
    *,
    at: int | Sequence[int] = AT,
    agent: int = PERSON,
) -> StorePosition:
    """Store a segment of a view of the targets by each visitor; 0: of none. Return its position.

    at: when, or when each of them.
    """
    body = events.encode({label: set(ids) for label, ids in targets.items()})
    run = [
        Stored(
            sequence=next(_sequences),
            at=one,
            body=body,
            meta=encode_meta(Meta(visitor=visitor, agent=agent)),
        )
        for visitor, one in zip(visitors, repeat(at) if isinstance(at, int) else at, strict=False)
    ]
    with transaction.atomic():
        before, (segment,) = append(built(run), timezone.now())
        open_projections(targets, before)
    return StorePosition(segment.number, segment.key, before.events + len(run))


def visitor_of(client: bytes, header: str, host: str, salt: bytes) -> bytes:
    """Return the 8 bytes that events have of a visitor. client: its packed address."""
    text = f"{host}\0{header}\0".encode() + client
    return blake2b(text, digest_size=8, key=salt).digest()


def day_at(at: int = AT) -> date:
    return datetime.fromtimestamp(at / 1000, UTC).date()


def counted(at: int = AT) -> dict[int, int]:
    """Return the visitors of contents on a day, by id; 0: of all together."""
    rows = VisitorSketch.objects.filter(
        content_type=content_type_of(Content), day=day_at(at), beside=False
    )
    return dict(rows.values_list("target_id", "visitors"))
