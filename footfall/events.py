"""The event `Viewed`, one view of one or more targets: how its body is written and read."""

import json
from collections.abc import Collection, Container, Mapping

VERSION = 1
BIGINT = 2**63
EARLIEST, LATEST = 946_684_800_000, 7_258_118_400_000  # 2000 and 2200, in ms since 1970


class Malformed(Exception):
    """The event cannot be counted; the message says why, for operators."""


def encode(ids: Mapping[str, Collection[int]]) -> bytes:
    """Return the body of one view of every target in `ids`: {"pages.content": {1, 2}}.

    The same targets give the same bytes, so the flush decodes them once for all their views.
    """
    targets = {label: sorted(set(ids[label])) for label in sorted(ids)}
    event = {"type": "Viewed", "v": VERSION, "ids": targets}
    return json.dumps(event, separators=(",", ":")).encode()


def decode(body: bytes, countable: Container[str]) -> dict[str, list[int]]:
    """Return the ids by label; raise Malformed for anything that is not a countable view."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON: {type(error).__name__}") from error
    if not isinstance(event, dict) or event.get("type") != "Viewed":
        raise Malformed("not a view")
    if event.get("v") != VERSION:
        raise Malformed(f"unknown version {event.get('v')!r:.40}")
    targets = event.get("ids")
    if not isinstance(targets, dict) or not targets:
        raise Malformed("names no targets")
    return {label: _ids(label, ids, countable) for label, ids in targets.items()}


def _ids(label: str, ids: object, countable: Container[str]) -> list[int]:
    if label not in countable:
        raise Malformed(f"no countable model {label!r:.100}")
    if not isinstance(ids, list) or not ids:
        raise Malformed(f"names no ids of {label}")
    for one in ids:
        if type(one) is not int or not 0 < one < BIGINT:
            raise Malformed(f"not an id of {label}: {one!r:.60}")
    if len(set(ids)) != len(ids):
        raise Malformed(f"names an id of {label} twice")
    return ids


def check_time(at: int) -> None:
    """Raise Malformed for a time (ms since 1970) outside of 2000 to 2200."""
    if not EARLIEST <= at < LATEST:
        raise Malformed(f"happened at {at}, which is out of range")
