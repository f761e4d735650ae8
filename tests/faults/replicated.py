"""A service whose stores replicate *after* they have answered: what a promotion loses, measured.

The files of all servers are kept while one of them is replaced, and read afterwards by a server of
their own. An event that is there, in no server that lives, and not stored, is what replication
lost.
"""

import os
import shutil
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from footfall.eventlog import RedisLog
from footfall.eventlog.identities import Identities
from loadtest.common.stores import Redis
from loadtest.common.verdict import Verdict
from tests.faults.campaign import Campaign, Say
from tests.faults.fault_plan import Planned
from tests.faults.intervals import Interval
from tests.faults.machine.evicted import StoredId, evident, stored_ids, views
from tests.faults.machine.machine import Machine
from tests.faults.service import Service

PARTITIONS = 8
PREFIX = "footfall"
EVERYTHING = 10**9


class Gone(NamedTuple):
    """An event that a dead server had, and no server that lived."""

    fault: str
    body: bytes


class ReplicatedService(Service):
    """The service with a log that is replicated."""

    def __init__(
        self, directory: Path, port: int = 0, *, machine: Machine | None = None, **variables: str
    ) -> None:
        super().__init__(directory, port, machine=machine, **variables)
        self.tails = directory / "tails"
        shutil.rmtree(self.tails, ignore_errors=True)
        self.promotions: list[Interval] = []
        """From the death of a server until another has its place."""
        self.gone: dict[StoredId, Gone] = {}
        """Some of them were stored: what remains is seen at the end."""

    @property
    @abstractmethod
    def log_url(self) -> str:
        """The address of the log as a whole."""

    def keep_files(self, directories: Iterable[Path]) -> None:
        """Keep the files of all servers: one that becomes a replica of another empties its own.

        Any of them may have events that no other one gets: of two that are promoted one after the
        other, the first one is replaced within a second or two. What they write from now on, while
        they go on or once they are started again, is in these files too.
        """
        for number, directory in enumerate(directories, len(list(self.tails.glob("*")))):
            kept = self.tails / str(number) / "appendonlydir"
            kept.mkdir(parents=True)
            for file in (directory / "appendonlydir").iterdir():
                os.link(file, kept / file.name)

    @cached_property
    def prefix(self) -> str:
        """What the keys of the service's database begin with."""
        (name,) = Identities(self.log_url, PREFIX, 1.0).names()
        return f"{PREFIX}:{name}"

    def measure(self, fault: str) -> None:
        """Note the events in the kept files that no server has any more."""
        had: dict[StoredId, bytes] = {}
        for kept in sorted(self.tails.glob("*")):
            store = Redis(Path(shutil.copytree(kept, kept / "copy")))
            with store.served():
                had |= self._events(store.url)
            shutil.rmtree(kept)
        have = self._events(self.log_url)  # one that has moved to another server since is not gone
        for one in had.keys() - have.keys():
            self.gone.setdefault(one, Gone(fault, had[one]))

    def _events(self, url: str) -> dict[StoredId, bytes]:
        with closing(RedisLog(url, prefix=self.prefix)) as log:
            return {
                StoredId(partition, *entry.event_id): entry.body
                for partition in range(PARTITIONS)
                for entry in log.read(partition, None, EVERYTHING, EVERYTHING).entries
                if entry.event_id
            }


class ReplicatedCampaign(Campaign):
    """Its verdict knows what replication lost, and holds it against what the service tells."""

    def __init__(self, service: ReplicatedService, planned: Sequence[Planned], say: Say) -> None:
        super().__init__(service, planned, say)
        self._replicated = service

    def promotions(self) -> list[Interval]:
        return self._replicated.promotions

    def gone(self) -> Mapping[str, int]:
        lost = self._replicated.gone
        if lost:
            stored = stored_ids(self._service.manage("counters", "events").stdout.splitlines())
            for one in lost.keys() & stored:
                del lost[one]
            self._evident = evident(lost, stored)
        return views(event.body for event in lost.values())

    def notes(self, verdict: Verdict[str]) -> dict[str, str]:
        by_fault = Counter(event.fault for event in self._replicated.gone.values())
        return {
            "events that replication lost": str(by_fault.total()),
            **{f"  {name}": str(number) for name, number in by_fault.items()},
            "  in views": str(verdict.total().gone),
            "  of these answered and not counted": str(verdict.missing),
            "  that the service must tell": str(self._evident),
        }
