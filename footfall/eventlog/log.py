"""The interface of a log. `tests/footfall/eventlog/contract.py` is its specification."""

from typing import Protocol

from footfall.eventlog.entries import Appended, Position, Slice


class Log(Protocol):
    """An ordered log in partitions, numbered from 0. Every method concerns one partition."""

    def append(self, partition: int, body: bytes, at: int) -> Appended:
        """Append one event. `at` is in milliseconds since 1970.

        Raises Refused (or its subclass Full) or Ambiguous; the package says what they mean.
        """
        ...

    def append_cached(self, partition: int, name: str, at: int) -> Appended | None:
        """Append the event of the page that is cached under `name`; return the page with it.

        All in one call. If no such page is cached, appends nothing and returns None. Raises as
        `append` does.
        """
        ...

    def read(self, partition: int, position: Position | None, count: int, max_bytes: int) -> Slice:
        """Return at most `count` entries after `position`, in order.

        Stops early once the bodies add up to `max_bytes`. If the entry at the position is not the
        expected one (the log was truncated, emptied or replaced), reads from the beginning: then
        entries that were applied come again, and the reader knows them by their ids. Raises
        LogError.
        """
        ...

    def trim(self, partition: int, position: Position) -> int:
        """Remove entries before the position that are older than the retention; return how many.

        Never removes the entry at the position, nor any after it. Does nothing if that entry is
        not the expected one. Raises LogError.
        """
        ...

    def length(self, partition: int) -> int:
        """Return the number of entries, including applied ones that the retention keeps."""
        ...

    def pending(self, partition: int, position: Position | None) -> int:
        """Return the number of entries after `position`; of all if the log does not have it."""
        ...

    def oldest(self, partition: int, position: Position | None) -> int | None:
        """Return when the first entry after `position` happened (ms since 1970), or None."""
        ...
