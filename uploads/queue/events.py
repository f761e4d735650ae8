"""The event `FileUploaded`: a file waits to be processed. What is in the queue, byte for byte."""

import json

VERSION = 1
BIGINT = 2**63


class Malformed(Exception):
    """The event names no file; the message is the reason, for a person."""


def encode(file: int) -> bytes:
    """Return the body of the event; `file` is the primary key."""
    event = {"type": "FileUploaded", "v": VERSION, "file": file}
    return json.dumps(event, separators=(",", ":")).encode()


def decode(body: bytes) -> int:
    """Return the primary key of the file; raise Malformed for anything else."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON: {type(error).__name__}") from error
    if not isinstance(event, dict) or event.get("type") != "FileUploaded":
        raise Malformed("not an upload")
    if event.get("v") != VERSION:
        raise Malformed(f"unknown version {event.get('v')!r:.40}")
    file = event.get("file")
    if type(file) is not int or not 0 < file < BIGINT:
        raise Malformed(f"not an id of a file: {file!r:.60}")
    return file
