"""The partitions that have copies of a counter: those from which its target was viewed recently.

Storing a copy is always followed by an event in the same partition. So after reading all events for
one copy lifetime, a process knows every partition with copies. For a single counter it knows them
sooner: once it has asked all partitions, if it reads every event from then on.
"""

import time
from collections.abc import Callable, Iterable, Mapping

Masks = Mapping[int, int]
"""Partitions by target id: a bit for each."""


class Locations:
    """What one process knows of a model: it keeps each event for `life` to twice `life` seconds."""

    def __init__(self, life: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._life = life
        self._clock = clock
        self._segment = -1
        self._recent: dict[int, int] = {}
        self._before: dict[int, int] = {}
        self._asked: set[int] = set()
        self._since = self._turned = clock()

    def note(self, first: int, last: int, viewed: Masks) -> None:
        """Note the partitions of the views in the segments from `first` to `last`.

        Segments are numbered without gaps. Those between this and the last call were applied by
        another process, and their events are unknown here: then everything starts over.
        """
        now = self._clock()
        if first != self._segment + 1:
            self._start_over()
        elif now - self._turned > self._life:
            self._before, self._recent, self._turned = self._recent, {}, now
            self._asked.clear()  # by now all are known
        self._segment = last
        self._add(viewed)

    def masks_for(self, ids: Iterable[int]) -> dict[int, int | None]:
        """Return the masks of the partitions in which copies may be; None if unknown."""
        recent, before, asked = self._recent, self._before, self._asked
        knows_all = self._clock() - self._since >= self._life
        return {
            one: recent.get(one, 0) | before.get(one, 0) if knows_all or one in asked else None
            for one in ids
        }

    def note_found(self, found: Masks) -> None:
        """Note where the copies are of targets for which all partitions were asked."""
        self._asked.update(found)
        self._add(found)

    def _add(self, masks: Masks) -> None:
        recent = self._recent
        for one, mask in masks.items():
            recent[one] = recent.get(one, 0) | mask

    def _start_over(self) -> None:
        self._recent, self._before, self._asked = {}, {}, set()
        self._since = self._turned = self._clock()
