"""Gives every page of a running service a month of views, so that its charts show something.

    DATA_DIR=.data python docs/history.py

The views are put into the event store, each with a time of its own, by people, robots and others:
the log takes no views from so long ago. Projections count them like all others.
"""

import math
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import django

DAYS = 65
HOUR, DAY = 3_600_000, 86_400_000  # milliseconds
BUSIEST = 60  # views of the most viewed page in its best hour, about
PEOPLE = 400
"""Who may view on a day."""
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101 Firefox/{}.0"
OTHERS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "python-requests/2.32",
    "example-reader/1.0",
)


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()

    from catalog.pages.models import Page
    from footfall.events import encode

    now = time.time_ns() // 1_000_000
    viewers = Viewers()
    pages = Page.objects.filter(placements__isnull=False).distinct()
    for place, page in enumerate(pages):
        body = encode({"pages.page": [page.pk], "pages.content": contents_of(page)})
        ats = [
            min(now, at + random.randrange(HOUR))
            for at in range(now - DAYS * DAY, now, HOUR)
            for _ in range(views_in(at, place))
        ]
        store(body, ats, [viewers.meta(at) for at in ats])


def store(body: bytes, ats: list[int], metas: list[bytes]) -> None:
    from django.db import transaction
    from django.db.models import F
    from django.utils import timezone

    from footfall.events import decode
    from footfall.models import Partition
    from footfall.projections.rows import open_projections
    from footfall.store.append import append
    from footfall.store.builder import EventsBuilder
    from footfall.store.segment import NO_SEQUENCE

    builder = EventsBuilder()
    number = len(ats)
    builder.add(0, [0] * number, [NO_SEQUENCE] * number, ats, [body] * number, metas)
    with transaction.atomic():
        before, _segments = append(builder.events(), timezone.now())
        open_projections(decode(body), before)
        Partition.objects.get_or_create(number=0)
        Partition.objects.filter(number=0).update(events=F("events") + number)


class Viewers:
    """People, robots and others, whose agents are known to the service."""

    def __init__(self) -> None:
        from footfall.models import Agent, How
        from footfall.models.viewers import signed
        from footfall.viewers.agents import Told, hash_of
        from footfall.viewers.classify import classify

        names = [*(BROWSER.format(version, version) for version in range(130, 140)), *OTHERS]
        self.hashes = {name: hash_of(Told(How.PLAIN, name).encode()) for name in names}
        for name, agent in self.hashes.items():
            fields = {"string": name, "kind": classify(name)}
            Agent.objects.get_or_create(hash=signed(agent), defaults=fields)

    def meta(self, at: int) -> bytes:
        """Return what an event says of who views at this time: three of four are people."""
        from footfall.events import Meta, encode_meta

        number = random.randrange(PEOPLE)
        browser = BROWSER.format(130 + number % 10, 130 + number % 10)
        name = browser if random.random() < 0.75 else random.choice(OTHERS)
        visitor = hash((at // DAY, number)) % 2**64  # another one each day
        return encode_meta(Meta(visitor=visitor or 1, agent=self.hashes[name]))


def contents_of(page: Any) -> list[int]:
    return list(page.placements.values_list("content", flat=True))


def views_in(at: int, place: int) -> int:
    """More by day than by night, fewer at weekends, and fewest of the pages that come last."""
    by_day = 0.35 + 0.65 * max(0.0, math.sin((at % DAY / HOUR - 5) / 24 * 2 * math.pi))
    weekend = 0.6 if (at // DAY + 3) % 7 >= 5 else 1.0
    mean: float = BUSIEST / (place + 2) ** 0.9 * by_day * weekend * random.uniform(0.6, 1.4)
    return int(mean) + (random.random() < mean % 1)


if __name__ == "__main__":
    main()
