"""What a processor takes and gives. Each is a module in `uploads.processors`.

Nothing here or there imports Django: a child process for every file has no time for that.
"""

import errno
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.utils.functional import Promise

LONGEST_TEXT = 1_000
"""Characters of one string in the metadata."""
MOST_ITEMS = 100
"""Items of one list or object in the metadata."""
DEEPEST = 4


@dataclass(frozen=True)
class Result:
    """What was found out about a file."""

    metadata: dict[str, Any] = field(default_factory=dict)
    """JSON; by the names that `docs/uploads.md` lists."""
    thumbnail: bytes | None = None
    """A small picture of it (WebP), without anything of the original but its pixels."""


class Unprocessable(Exception):
    """The file is not what it should be, and trying again is no use. The message says why.

    A processor gives a reason marked by `gettext_noop` and the `values` for its placeholders:
    its process knows no languages, so the one that started it translates.
    """

    def __init__(self, reason: "str | Promise", **values: str | int) -> None:
        super().__init__(str(reason) % values if values else str(reason))
        self.reason = str(reason)
        self.values = values


Processor = Callable[[Path, str], Result]
"""Takes a local file and its content type. Raises Unprocessable. Runs in a child process."""


def gettext_noop(message: str) -> str:
    """Mark `message` for translation, as Django's does."""
    return message


@contextmanager
def blaming(reason: str) -> Iterator[None]:
    """Blame the file for whatever a library raises about it: the lists in their docs are not full.

    What the machine lacks (memory, the file itself) is no fault of the file.
    """
    try:
        yield
    except (Unprocessable, MemoryError, RecursionError):
        raise
    except Exception as error:
        # A file that names a place before its own start makes the system say EINVAL.
        if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
            raise
        raise Unprocessable(reason) from error


def clean(value: object, depth: int = 0) -> Any:
    """Return what of `value` PostgreSQL can store as JSON, and is small enough to be shown.

    NUL characters go, lone surrogates are replaced, NaN and infinite numbers become null, as does
    what is nested too deeply or is no JSON; long strings, lists and objects are cut.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        return value if abs(value) < 2**63 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth < DEEPEST:
        if isinstance(value, dict):
            few = list(value.items())[:MOST_ITEMS]
            return {clean_text(str(key)): clean(item, depth + 1) for key, item in few}
        if isinstance(value, list | tuple):
            return [clean(item, depth + 1) for item in value[:MOST_ITEMS]]
    return None


def clean_text(text: str) -> str:
    """Return `text` without what UTF-8 or PostgreSQL cannot hold, and not too long."""
    short = text.replace("\0", "")[:LONGEST_TEXT]
    return short.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
