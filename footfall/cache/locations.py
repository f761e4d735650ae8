"""The partitions that have copies of a counter: those from which its target was viewed recently.

Storing a copy is always followed by an event in the same partition. So after reading all events for
one copy lifetime, a flusher knows every partition with copies. For a single counter it knows them
sooner: once it has asked all partitions, if it reads every event from then on.
"""

import time
from collections.abc import Callable, Iterable, Mapping

Masks = Mapping[str, int]
"""Partitions by target name: a bit for each."""


class Locations:
    """What one flusher knows: it keeps each event for `life` to twice `life` seconds."""

    def __init__(self, life: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._life = life
        self._clock = clock
        self._batch = -1
        self._recent: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._asked: set[str] = set()
        self._since = self._turned = clock()

    def note(self, batch: int, claimed_all: bool, viewed: Masks) -> None:
        """Note the partitions of a batch's views, under the primary key of the batch.

        claimed_all: whether this flush read every partition. A gap between two keys may be a batch
        of another process, whose events are unknown here: then everything starts over.
        """
        now = self._clock()
        if batch != self._batch + 1 or not claimed_all:
            self._start_over()
        elif now - self._turned > self._life:
            self._before, self._recent, self._turned = self._recent, {}, now
            self._asked.clear()  # by now all are known
        self._batch = batch
        self._add(viewed)

    def masks_for(self, names: Iterable[str]) -> dict[str, int | None]:
        """Return the masks of the partitions in which copies may be; None if unknown."""
        recent, before, asked = self._recent, self._before, self._asked
        knows_all = self._clock() - self._since >= self._life
        return {
            name: recent.get(name, 0) | before.get(name, 0) if knows_all or name in asked else None
            for name in names
        }

    def note_found(self, found: Masks) -> None:
        """Note where the copies are of names for which all partitions were asked."""
        self._asked.update(found)
        self._add(found)

    def _add(self, masks: Masks) -> None:
        recent = self._recent
        for name, mask in masks.items():
            recent[name] = recent.get(name, 0) | mask

    def _start_over(self) -> None:
        self._recent, self._before, self._asked = {}, {}, set()
        self._since = self._turned = self._clock()
