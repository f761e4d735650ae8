"""What a log is. `tests/footfall/eventlog/contract.py` is the specification."""

from typing import Protocol

from footfall.eventlog.entries import Appended, Position, Slice


class Log(Protocol):
    """An ordered log in partitions, numbered from 0. Every method speaks of one partition."""

    def append(self, partition: int, body: bytes, at: int) -> Appended:
        """Append one event. `at` is in milliseconds since 1970.

        Raises Refused (Full among them) or Ambiguous; see the package for what they mean.
        """
        ...

    def append_cached(self, partition: int, name: str, at: int) -> Appended | None:
        """Append the event that is prepared under `name`, and return what goes with it.

        All in one call; None, and nothing is appended, if none is prepared. Raises as `append`.
        """
        ...

    def read(self, partition: int, position: Position | None, count: int, max_bytes: int) -> Slice:
        """Return the entries after `position`, in order: `count` at most.

        Stops early once the bodies add up to `max_bytes`. If the entry at the position is not the
        expected one (the log was truncated, emptied or replaced), reads from the beginning: then
        entries that were dealt with come again, and their numbers tell. Raises LogError.
        """
        ...

    def trim(self, partition: int, position: Position) -> int:
        """Remove entries from before the position's retention; return how many.

        Never removes the entry at the position, nor any after it. Does nothing where that entry is
        not the expected one. Raises LogError.
        """
        ...

    def length(self, partition: int) -> int:
        """Return the number of entries, those kept by the retention among them."""
        ...

    def pending(self, partition: int, position: Position | None) -> int:
        """Return the number of entries after `position`; all of them if it does not stand there."""
        ...

    def oldest(self, partition: int, position: Position | None) -> int | None:
        """Return when the first entry after `position` happened (ms since 1970), or None."""
        ...
