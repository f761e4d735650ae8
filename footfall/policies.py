"""What the counter of a model counts: its policy; and whose views are not recorded.

counter = CounterField(policy=People(), exclude=Exclude(owner="author", staff=True))
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar


class Policy:
    """What a counter counts of the views that are recorded."""

    name: ClassVar[str]
    """Kept with the projection: another name is another policy."""
    column: ClassVar[str] = "views"
    """The column of `ByKind` that has what is counted."""

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
