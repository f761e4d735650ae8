"""What the string of an agent is: by a list that is kept elsewhere, and by what browsers send.

Matching takes time in proportion to the string, which has 256 characters at most, and is done once
for each: nearly all patterns are plain text, and those that are not have no nested repetition.
"""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any, NamedTuple

from footfall.models.viewers import MAX_STRING, Kind

LIST = "crawler-user-agents"
MONITORING, LIBRARY = "monitoring", "http-library"
"""Tags of the list."""
OWN_MONITORS = (
    "kube-probe/", "ELB-HealthChecker/", "GoogleHC/", "Consul Health Check", "HAProxy",
    "Prometheus/", "Envoy/HC", "Amazon-Route53-Health-Check",
)  # fmt: skip
OWN_LIBRARIES = (
    "Apache-HttpAsyncClient", "Bun/", "CFNetwork/", "Dalvik/", "Dart/", "Deno/", "Faraday",
    "Guzzle", "Java/", "PostmanRuntime/", "PycURL/", "Python/", "Ruby", "Symfony HttpClient",
    "WinHttp", "aria2/", "geventhttpclient", "got (", "insomnia/", "k6/", "libcurl", "python-",
    "reqwest/", "undici", "ureq/", "wrk/",
)  # fmt: skip
"""Beside those of the list."""
ROBOT_WORDS = re.compile(
    r"(?<!cu)bot\b|(?<!cu)bots?[/_;) ]|crawl|spider|scrap(?:er|y)|\bfetch|headless|\+https?://",
    re.IGNORECASE,
)
"""What robots call themselves that are on no list. Cubot makes phones."""
PLATFORMS = (
    "Windows NT", "Macintosh", "X11", "Linux", "Android", "iPhone", "iPad", "iPod", "CrOS",
    "Windows Phone", "PlayStation", "Nintendo", "SMART-TV", "Tizen", "Web0S", "KaiOS", "Xbox",
)  # fmt: skip
WEBKIT = re.compile(
    r"AppleWebKit/[\d.]+ ?\(KHTML, like Gecko\) .{0,200}?\b(?:Version|Chrome|CriOS|FxiOS|Safari|"
    r"Mobile|EdgiOS|OPiOS|GSA)/\w"
)
OTHER_ENGINES = re.compile(
    r"Gecko/[\d.]+ .{0,100}?Firefox/\d|Trident/\d|MSIE \d|Presto/\d|Goanna/\d"
)
OPERA = re.compile(r"Opera/\d")


class Robot(NamedTuple):
    """An entry of the list."""

    text: str
    """What a string of it has in it; "": see `pattern`."""
    pattern: re.Pattern[str] | None
    kind: Kind


@cache
def list_version() -> str:
    """Return the list's name and version: "crawler-user-agents 1.67.0"."""
    return f"{LIST} {version(LIST)}"


@lru_cache(16_384)
def classify(string: str) -> Kind:
    """Return what an agent with this string is, by the list. Operators' rules come before.

    A person is recognised by what browsers send, and by no sign of a robot.
    """
    string = string[:MAX_STRING]
    if not string:
        return Kind.UNKNOWN
    if (kind := _listed(string)) is not None:
        return kind
    if any(text in string for text in OWN_MONITORS):
        return Kind.MONITOR
    if ROBOT_WORDS.search(string):
        return Kind.ROBOT
    if is_browser(string):
        return Kind.PERSON
    if any(text in string for text in OWN_LIBRARIES):
        return Kind.LIBRARY
    return Kind.UNKNOWN


def is_browser(string: str) -> bool:
    """Tell whether a string has what browsers send: platform, engine, and a name with a version."""
    if OPERA.match(string):
        return "Presto/" in string
    if not string.startswith(("Mozilla/5.0 (", "Mozilla/4.0 (compatible; MSIE ")):
        return False
    if not any(platform in string for platform in PLATFORMS):
        return False
    return bool(WEBKIT.search(string) or OTHER_ENGINES.search(string))


def _listed(string: str) -> Kind | None:
    """Return the kind of the entries that match: a monitor or a robot before a library."""
    kinds = {
        kind
        for text, pattern, kind in _list()
        if (text in string if pattern is None else pattern.search(string))
    }
    for kind in (Kind.MONITOR, Kind.ROBOT, Kind.LIBRARY):
        if kind in kinds:
            return kind
    return None


@cache
def _list() -> Sequence[Robot]:
    # Not at the start: web servers need no list, and it takes a while to read.
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA

    return [_robot(entry) for entry in CRAWLER_USER_AGENTS_DATA]


def _robot(entry: dict[str, Any]) -> Robot:
    kind = Kind.ROBOT
    if tags := entry.get("tags"):
        kind = {MONITORING: Kind.MONITOR, LIBRARY: Kind.LIBRARY}.get(tags[0], Kind.ROBOT)
    text = plain(entry["pattern"])
    return Robot(text or "", None if text else re.compile(entry["pattern"]), kind)


def plain(pattern: str) -> str | None:
    """Return the text that a pattern stands for; None if it stands for several."""
    escaped = re.compile(r"\\([^A-Za-z0-9])")
    if re.search(r"[][\\.^$*+?{}|()]", escaped.sub("", pattern)):
        return None
    return escaped.sub(r"\1", pattern)
