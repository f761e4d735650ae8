"""The event `FileUploaded`: a file is waiting to be processed. Its bytes in the queue."""

import json

VERSION = 1
BIGINT = 2**63


class MalformedEvent(Exception):
    """The event names no file; the message says why."""


def encode(file: int) -> bytes:
    """Return the body of the event; `file` is the primary key."""
    event = {"type": "FileUploaded", "v": VERSION, "file": file}
    return json.dumps(event, separators=(",", ":")).encode()


def decode(body: bytes) -> int:
    """Return the primary key of the file. Raises MalformedEvent."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedEvent(f"not JSON: {type(error).__name__}") from error
    if not isinstance(event, dict) or event.get("type") != "FileUploaded":
        raise MalformedEvent("not an upload")
    if event.get("v") != VERSION:
        raise MalformedEvent(f"unknown version {event.get('v')!r:.40}")
    file = event.get("file")
    if type(file) is not int or not 0 < file < BIGINT:
        raise MalformedEvent(f"not an id of a file: {file!r:.60}")
    return file
