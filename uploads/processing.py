"""What a processor takes and gives. Each is a module in `uploads.processors`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils.functional import Promise


@dataclass(frozen=True)
class Result:
    """What was found out about a file."""

    metadata: dict[str, Any] = field(default_factory=dict)
    """JSON; by the names that `docs/uploads.md` lists."""
    thumbnail: bytes | None = None
    """A small picture of it (WebP), without anything of the original but its pixels."""


class Unprocessable(Exception):
    """The file is not what it should be, whoever tries; the message says why, to a person."""

    def __init__(self, reason: "str | Promise") -> None:
        super().__init__(str(reason))


Processor = Callable[[Path, str], Result]
"""Takes a local file and its content type. Raises Unprocessable. Runs in a child process."""
