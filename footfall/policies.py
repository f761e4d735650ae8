"""What the counter of a model counts: its policy; and whose views are not recorded.

counter = CounterField(policy=People(), exclude=Exclude(owner="author", staff=True))
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar


class Policy:
    """What a counter counts of the views that are recorded."""

    name: str
    """Kept with the projection: another name is another policy."""
    column: ClassVar[str] = "views"
    """The column of `ByKind` that has what is counted."""
    most: int = 0
    """How often a visitor counts in a window; 0: always."""
    hours: int = 0
    """How long a window is, from an hour or midnight on, UTC."""

    @property
    def tells_kinds(self) -> bool:
        """Whether it counts by the kinds of agents, so that `reclassify` changes counters."""
        return self.column != "views"

    def __str__(self) -> str:
        return self.name


class Everything(Policy):
    """Every view."""

    name = "everything"


class People(Policy):
    """Views by agents that are people, as far as is known: see `footfall.verdicts`.

    A view without a request is of unknown kind, and not counted. What was adopted is counted.
    """

    name = "people"
    column = "person"


HOUR, DAY = 1, 24


class AtMost(Policy):
    """So many views by each visitor in each calendar window, HOUR or DAY, in UTC.

    By the time of the view, so one that comes late counts in its own window. A view that does not
    say which visitor it was counts each time. Robots are visitors, too.
    """

    def __init__(self, times: int, *, per: int = DAY) -> None:
        if times < 1 or per not in (HOUR, DAY):
            raise ValueError("a visitor counts at least once per HOUR or per DAY")
        self.most, self.hours = times, per
        self.name = f"{times} per visitor and {'hour' if per == HOUR else 'day'}"


class OncePerVisitor(AtMost):
    """One view by each visitor in each calendar window, see `AtMost`."""

    def __init__(self, window: int = DAY) -> None:
        super().__init__(1, per=window)


def named(name: str) -> AtMost | None:
    """Return the policy of this name, if it counts by visitor."""
    times, _, window = name.partition(" (")[0].partition(" per visitor and ")
    return AtMost(int(times), per=HOUR if window == "hour" else DAY) if window else None


@dataclass(frozen=True)
class Exclude:
    """Whose views of a target are not recorded at all: nothing brings them back later.

    It is decided by `record(request=...)`. A view without a request, or of a page from the cache,
    does not say who is signed in.
    """

    owner: str = ""
    """The field of the model that refers to a user: "author", or by way of others "blog__owner"."""
    staff: bool = False
    groups: Collection[str] = ()
    """Names of groups of users."""

    def __post_init__(self) -> None:
        if isinstance(self.groups, str):
            raise TypeError("groups of users are given as a list of names")
        object.__setattr__(self, "groups", tuple(self.groups))
