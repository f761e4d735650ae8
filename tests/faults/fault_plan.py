"""The schedule of faults: made from a seed alone, before anything starts."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

WARM_UP = 1.0  # seconds before the first fault
QUIET = 2.0  # seconds at the end in which nothing new begins


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    part: of two faults in the same part, the second waits until the part has recovered. `BOTH` is
        two parts.
    shortest, longest: seconds that it lasts; a kill is over at once.
    recovery: seconds that the part may take to work again.
    store: the store that is away meanwhile, if any, or `BOTH`.
    """

    part: str
    shortest: float = 0.0
    longest: float = 0.0
    recovery: float = 3.0
    store: str = ""

    @property
    def parts(self) -> set[str]:
        return {*self.part.split()}


REDIS, POSTGRES, NETWORK, CLOCK = "redis", "postgres", "network", "clock"
BOTH = f"{REDIS} {POSTGRES}"
EVICTING = "Redis evicts any key"
"""What it evicts of the log is lost, and must be told."""
CENTURIES = "the clock of the web server, by centuries"
NAMED_SECONDS = 15.0  # until /readyz names the policy

SHORT_KINDS: Mapping[str, Kind] = {
    "flusher killed": Kind("flusher"),
    "flusher stopped": Kind("flusher", 1, 6),
    "worker killed": Kind("worker"),
    "worker stopped": Kind("worker", 1, 6),
    "two beats": Kind("worker", 4, 8),
    "web worker killed": Kind("web", recovery=5),
    "web worker stopped": Kind("web", 0.5, 4, recovery=2),
    "Redis killed": Kind(REDIS, recovery=6, store=REDIS),
    "Redis stopped": Kind(REDIS, 0.5, 4, store=REDIS),
    "Redis dies writing: its file is full": Kind(REDIS, 0.5, 2, recovery=6, store=REDIS),
    "Redis cannot write: its disk is full": Kind(REDIS, 1, 4, store=REDIS),
    "Redis at maxmemory": Kind(REDIS, 1, 4, store=REDIS),
    "PostgreSQL killed": Kind(POSTGRES, recovery=8, store=POSTGRES),
    "a backend of PostgreSQL killed": Kind(POSTGRES, recovery=5, store=POSTGRES),
    "PostgreSQL stopped": Kind(POSTGRES, 0.5, 4, store=POSTGRES),
    "requests cut": Kind(NETWORK, 0.3, 3, store=REDIS),
    "answers cut": Kind(NETWORK, 0.3, 3, store=REDIS),
    "answers swallowed": Kind(NETWORK, 0.3, 4, store=REDIS),
    "requests land late": Kind(NETWORK, 0.3, 3, store=REDIS),
    "answers slow": Kind(NETWORK, 1, 4),
    "ticks sent twenty times": Kind("broker", recovery=1),
    "a flush beside the flusher": Kind("command", 3, 3, recovery=1),
    "rows of every countable model locked": Kind("projections", 20, 20),
    "a projection raises": Kind("projections", 3, 15),
    "Redis evicts keys that expire": Kind(REDIS, 1, 4, store=REDIS),
}
# Those that need the machine's clocks or disks, or many seconds.
MACHINE_KINDS: Mapping[str, Kind] = {
    EVICTING: Kind(REDIS, NAMED_SECONDS + 1, NAMED_SECONDS + 3, recovery=4, store=REDIS),
    "the disk of Redis is full": Kind(REDIS, 2, 8, recovery=8, store=REDIS),
    "the disk of PostgreSQL is full": Kind(POSTGRES, 2, 8, recovery=12, store=POSTGRES),
    "the disk is full": Kind(BOTH, 2, 8, recovery=15, store=BOTH),
    # While it is wrong, and once it is right again, old rows are removed and the log is read again.
    "the clock of the web server": Kind(CLOCK, 2, 6, recovery=8),
    CENTURIES: Kind(CLOCK, 2, 6, recovery=8),
    "the clock of the flusher": Kind(CLOCK, 2, 6, recovery=8),
    "the clock of the worker": Kind(CLOCK, 2, 6, recovery=8),
    "the clock of Redis": Kind(CLOCK, 2, 6, recovery=8),
    "the clock of PostgreSQL": Kind(CLOCK, 2, 6, recovery=8),
    "the clock of the machine": Kind(CLOCK, 2, 6, recovery=8),
}
KINDS: Mapping[str, Kind] = {**SHORT_KINDS, **MACHINE_KINDS}

CLUSTER = "cluster"
# With a Redis Cluster: all other faults are as without one.
CLUSTER_KINDS: Mapping[str, Kind] = {
    "a master killed, its replica promoted": Kind(CLUSTER, 3, 5, recovery=4),
    "a master killed, its replica behind": Kind(CLUSTER, 3, 5, recovery=4),
    "a master killed, back at once": Kind(CLUSTER, recovery=4),
    "a master stopped": Kind(CLUSTER, 0.5, 5, recovery=4),
    "a replica killed": Kind(CLUSTER, 0.2, 2, recovery=3),
    "a partition moved": Kind(CLUSTER, recovery=2),
    "Redis killed": KINDS["Redis killed"],  # the broker
    "flusher killed": KINDS["flusher killed"],
    "web worker killed": KINDS["web worker killed"],
    "PostgreSQL killed": KINDS["PostgreSQL killed"],
}

# With sentinels and a standby. A master that was replaced is a replica again after ten seconds.
FAILOVER_KINDS: Mapping[str, Kind] = {
    "the master killed, a replica promoted": Kind(REDIS, 1, 3, recovery=12, store=REDIS),
    "the master killed, its replicas behind": Kind(REDIS, 1, 3, recovery=12, store=REDIS),
    "the master stopped, a replica promoted": Kind(REDIS, 1, 3, recovery=12, store=REDIS),
    "a replica promoted by hand": Kind(REDIS, 1, 3, recovery=12, store=REDIS),
    "a replica of Redis killed": Kind(REDIS, 0.2, 2, recovery=4),
    "a sentinel killed": Kind(REDIS, 0.2, 2, recovery=4),
    "the primary killed, its standby promoted": Kind(POSTGRES, 1, 3, recovery=7, store=POSTGRES),
    "the primary stopped, its standby promoted": Kind(POSTGRES, 1, 3, recovery=7, store=POSTGRES),
    # What is spilled meanwhile is lost: no fault of Redis is beside it.
    "an asynchronous standby promoted, behind": Kind(BOTH, 1, 4, recovery=9, store=POSTGRES),
    "flusher killed": KINDS["flusher killed"],
    "worker killed": KINDS["worker killed"],
    "web worker killed": KINDS["web worker killed"],
}


@dataclass(frozen=True)
class Planned:
    """A planned fault: `at` seconds after the start, for `lasting` seconds."""

    at: float
    name: str
    lasting: float
    chance: float
    """From 0 to 1: which one of several, or how strong."""

    @property
    def kind(self) -> Kind:
        return {**KINDS, **CLUSTER_KINDS, **FAILOVER_KINDS}[self.name]


def plan_faults(
    seed: int, seconds: float, gap: float, kinds: Mapping[str, Kind] = KINDS
) -> list[Planned]:
    """Return the faults of a run: one about every `gap` seconds, all over before `seconds`."""
    dice = random.Random(seed)
    free_at: dict[str, float] = {}
    planned: list[Planned] = []
    waiting: list[str] = []
    at = WARM_UP
    while at < seconds - QUIET:
        if len(waiting) < len(kinds):  # every kind has its turn before one comes again too often
            waiting += dice.sample(sorted(kinds), len(kinds))
        busy = {part for part, free in free_at.items() if free > at}
        name = next((one for one in waiting if not kinds[one].parts & busy), None)
        lasting, chance = dice.random(), dice.random()
        if name is not None:
            waiting.remove(name)
            kind = kinds[name]
            lasting = kind.shortest + lasting * (kind.longest - kind.shortest)
            lasting = round(min(lasting, seconds - at), 2)
            free_at |= dict.fromkeys(kind.parts, at + lasting + kind.recovery)
            planned.append(Planned(round(at, 2), name, lasting, round(chance, 3)))
        at += dice.uniform(0.1, 1.9) * gap
    return planned
