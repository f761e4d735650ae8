"""Gives every page of a running service a month of views, so that its charts show something.

    DATA_DIR=.data python docs/history.py

The views go the way of all views, through the log, each with a time of its own, by people, robots
and others.
"""

import math
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import django

DAYS = 35
HOUR, DAY = 3_600_000, 86_400_000  # milliseconds
BUSIEST = 60  # views of the most viewed page in its best hour, about
PEOPLE = 400
"""Who view, each from an address of their own."""
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

    from django.conf import settings

    from catalog.pages.models import Page
    from footfall.events import encode
    from footfall.log import get_log
    from footfall.viewers.request import viewer_of

    now = time.time_ns() // 1_000_000
    pages = Page.objects.filter(placements__isnull=False).distinct()
    for place, page in enumerate(pages):
        partition = place % settings.COUNTERS_PARTITIONS
        body = encode({"pages.page": [page.pk], "pages.content": contents_of(page)})
        for at in range(now - DAYS * DAY, now, HOUR):
            for _ in range(views_in(at, place)):
                meta = viewer_of(viewer())
                get_log().append(partition, body, min(now, at + random.randrange(HOUR)), meta)


def contents_of(page: Any) -> list[int]:
    return list(page.placements.values_list("content", flat=True))


def viewer() -> dict[str, str]:
    """Return what a request says of who views: three of four are people."""
    number = random.randrange(PEOPLE)
    version = 130 + number % 10
    agent = random.choice(OTHERS) if random.random() < 0.25 else BROWSER.format(version, version)
    return {"REMOTE_ADDR": f"198.51.{number // 250}.{number % 250}", "HTTP_USER_AGENT": agent}


def views_in(at: int, place: int) -> int:
    """More by day than by night, fewer at weekends, and fewest of the pages that come last."""
    by_day = 0.35 + 0.65 * max(0.0, math.sin((at % DAY / HOUR - 5) / 24 * 2 * math.pi))
    weekend = 0.6 if (at // DAY + 3) % 7 >= 5 else 1.0
    mean: float = BUSIEST / (place + 2) ** 0.9 * by_day * weekend * random.uniform(0.6, 1.4)
    return int(mean) + (random.random() < mean % 1)


if __name__ == "__main__":
    main()
