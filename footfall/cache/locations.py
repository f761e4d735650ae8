"""In which partitions the copies of a counter are: those from which it was viewed of late.

A copy is put in a partition right before a view is recorded there, of the page that needs it. So
whoever has seen every event, for as long as a copy lives, knows of every copy. And whoever has
asked all partitions for a copy once, and has seen every event since, knows of every copy of it.
"""

import time
from collections.abc import Callable, Iterable, Mapping

Seen = Mapping[str, int]
"""By the name of a target: the partitions from which it was viewed, a bit for each."""


class Locations:
    """What a flusher remembers: each event for `life` seconds at least, and twice that at most."""

    def __init__(self, life: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._life = life
        self._clock = clock
        self._batch = -1
        self._recent: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._asked: set[str] = set()
        self._since = self._turned = clock()

    def note(self, batch: int, has_all: bool, seen: Seen) -> None:
        """Note a batch by its number; `has_all`: nobody else could take events meanwhile.

        A gap in the numbers may be the batch of another process, whose events nobody here knows.
        """
        now = self._clock()
        if batch != self._batch + 1 or not has_all:
            self._start_over()
        elif now - self._turned > self._life:
            self._before, self._recent, self._turned = self._recent, {}, now
            self._asked.clear()  # by now all are known
        self._batch = batch
        self._add(seen)

    def of(self, names: Iterable[str]) -> dict[str, int | None]:
        """Return the partitions in which copies may be; None where that is not known (yet)."""
        recent, before, asked = self._recent, self._before, self._asked
        knows_all = self._clock() - self._since >= self._life
        return {
            name: recent.get(name, 0) | before.get(name, 0) if knows_all or name in asked else None
            for name in names
        }

    def note_found(self, found: Seen) -> None:
        """Note in which partitions copies are, of names for which all of them were asked."""
        self._asked.update(found)
        self._add(found)

    def _add(self, seen: Seen) -> None:
        recent = self._recent
        for name, partitions in seen.items():
            recent[name] = recent.get(name, 0) | partitions

    def _start_over(self) -> None:
        self._recent, self._before, self._asked = {}, {}, set()
        self._since = self._turned = self._clock()
