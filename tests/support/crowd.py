"""Who reads pages over HTTP in long runs, and what each of them is: people, robots, monitors.

What they are is written here, or told by the tags of the list; the service is not asked for it.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

PERSON, ROBOT, PREFETCH, MONITOR, LIBRARY, UNKNOWN = (
    "person", "robot", "prefetch", "monitor", "library", "unknown",
)  # fmt: skip
"""Kinds, as the API names them."""
TAGS = {"search-engine": ROBOT, "ai-crawler": ROBOT, "monitoring": MONITOR, "http-library": LIBRARY}
"""Of the list, and what agents with them are."""
CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
FIREFOX = "Mozilla/5.0 ({0}; rv:{1}.0) Gecko/20100101 Firefox/{1}.0"
PLATFORMS = (
    "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64",
    "X11; CrOS x86_64 14541.0.0", "Linux; Android 10; K",
)  # fmt: skip
BROWSERS = [
    browser.format(platform, version)
    for version in range(134, 140)
    for browser in (CHROME, FIREFOX)
    for platform in PLATFORMS
]
"""User agents that people share."""
HIDDEN = f"{CHROME.format(PLATFORMS[2], 99)} PageHarvest/2.1"
"""A robot that is on no list, and is taken for a person."""
SILENT = "Sovereign-Sync 3"
"""Another one, of which nothing is known."""
UNLISTED = {
    HIDDEN: PERSON,
    f"{FIREFOX.format(PLATFORMS[0], 60)} Gleaner": PERSON,
    SILENT: UNKNOWN,
    "MetaVacuum (research)": UNKNOWN,
    "Quietbot/0.1": ROBOT,  # it says so itself
}
"""Robots that are on no list, and what they are taken for."""
MONITORS = "198.51.100.0/24"
"""The addresses of own monitors."""


class Viewer(NamedTuple):
    """One that reads, as its requests say."""

    agent: str
    address: str
    kind: str
    purpose: str = ""
    """Its header Sec-Purpose."""

    @property
    def headers(self) -> str:
        """Return the lines of its requests, as a proxy passes them on."""
        lines = f"User-Agent: {self.agent}\r\nX-Forwarded-For: {self.address}\r\n"
        return f"{lines}Sec-Purpose: {self.purpose}\r\n" if self.purpose else lines


def prefetch(viewer: Viewer) -> Viewer:
    """Return how the browser of a person asks for a page that may never be looked at."""
    return viewer._replace(kind=PREFETCH, purpose="prefetch;prerender")


def listed(kind: str, number: int) -> list[str]:
    """Return the user agents of some entries of the list."""
    return list(islice(_listed(kind), number))


def _listed(kind: str) -> Iterator[str]:
    for entry in CRAWLER_USER_AGENTS_DATA:
        tags = entry.get("tags", [])
        if len(tags) == 1 and TAGS.get(tags[0]) == kind:
            yield from [one for one in entry["instances"] if one.isascii() and len(one) < 200][:1]
