"""What all processors share. Imports no Django."""

import errno
import math
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

# Limits of the metadata.
MAX_CHARACTERS = 1_000  # of a string
MAX_ITEMS = 100  # of a list or object
MAX_DEPTH = 4


@dataclass(frozen=True)
class Result:
    """The result of a processor."""

    metadata: dict[str, Any] = field(default_factory=dict)
    """JSON, with the names in `docs/reference/files.md`."""
    thumbnail: bytes | None = None
    """A small WebP image of the file, without any metadata."""


class Unprocessable(Exception):
    """The file is broken or exceeds a limit: another attempt would fail, too.

    reason: marked by `gettext_noop`, and translated by the worker, not by the child process.
    values: for the placeholders of the reason.
    """

    def __init__(self, reason: str, **values: str | int) -> None:
        super().__init__(reason % values if values else reason)
        self.reason = reason
        self.values = values


Processor = Callable[[Path, str], Result]
"""Takes a path, which only Python's own functions can open, and the content type.

Raises Unprocessable.
"""


def import_all(package: str) -> None:
    """Import a package with all modules in it that can be imported."""
    paths = getattr(import_module(package), "__path__", ())
    for module in pkgutil.walk_packages(paths, f"{package}.", onerror=lambda _name: None):
        if not module.name.endswith(".__main__"):
            with suppress(Exception, SystemExit):  # of systems, or for programs, that are not here
                import_module(module.name)


def gettext_noop(message: str) -> str:
    """Mark `message` for translation, like Django's function."""
    return message


@contextmanager
def errors_as(reason: str) -> Iterator[None]:
    """Turn any error of a library into Unprocessable: their docs do not list all that they raise.

    Errors of the system, like too little memory or a missing module, stay as they are.
    """
    try:
        yield
    except (Unprocessable, MemoryError, RecursionError, ImportError):
        raise
    except Exception as error:
        # EINVAL: the file contains an offset before its start.
        if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
            raise
        raise Unprocessable(reason) from error


def clean(value: object, depth: int = 0) -> Any:
    """Return `value` as JSON that PostgreSQL can store, within the limits above.

    NUL characters are removed, lone surrogates replaced, long strings, lists and objects cut.
    Infinite numbers, NaN, values that are no JSON or nested too deeply become null.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        return value if abs(value) < 2**63 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth < MAX_DEPTH:
        if isinstance(value, dict):
            items = list(value.items())[:MAX_ITEMS]
            return {clean_text(str(key)): clean(item, depth + 1) for key, item in items}
        if isinstance(value, list | tuple):
            return [clean(item, depth + 1) for item in value[:MAX_ITEMS]]
    return None


def clean_text(text: str) -> str:
    """Return `text` with everything removed that UTF-8 or PostgreSQL cannot store, and cut."""
    short = text.replace("\0", "")[:MAX_CHARACTERS]
    return short.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
