"""What was observed of one load on one approach: the columns are computed from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from loadtest.common.client import Run
from loadtest.common.verdict import Verdict
from loadtest.systems.wal import Written


@dataclass
class Observation:
    run: Run
    verdict: Verdict[int] | None = None
    """None where nothing is counted."""
    cpu: Mapping[str, float] = field(default_factory=dict)
    """Seconds by the name of the program, until everything was counted."""
    load_cpu: float = 0.0
    """Seconds of the load generator, which are in none of the others."""
    written: Written = field(default_factory=Written)
    constant_rate: float = 0.0
    """Requests per second of the constant view, right before and right after."""
    freshness: list[float] | None = None
    """Seconds from an answer until the view is in the counter."""
    bytes_per_event: float | None = None
    """Of Redis' memory."""

    @property
    def views(self) -> int:
        """Of a page: each is a view of 15 contents."""
        return max(1, len(self.run.latencies))

    @property
    def thousands(self) -> float:
        return self.views / 1000

    def per_view(self, number: float) -> float:
        return number / self.views

    def cpu_per_1000(self, *programs: str) -> float:
        return sum(self.cpu.get(name, 0.0) for name in programs) / self.thousands

    def counted(self, name: Literal["lost", "doubled"]) -> int | None:
        return getattr(self.verdict, name) if self.verdict is not None else None
