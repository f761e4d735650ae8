"""What `make run` takes without any readers."""

from dataclasses import asdict, dataclass
from pathlib import Path

from loadtest.common.ports import free_port
from loadtest.load.run import running
from loadtest.systems.processes import cpu_seconds, family, pss_bytes, samples
from loadtest.systems.stores import remove

CALM_SECONDS = 5.0  # of a look whether it still starts
CALM = 1.0  # processor seconds within these: what has started takes a fraction of them
MOST_LOOKS = 24
SPANS = 3


@dataclass(frozen=True)
class Idle:
    processes: int
    pss_mb: float
    """Memory, of which what processes share is counted once."""
    cpu_per_minute: list[float]
    """Processor seconds, once for each span that was looked at."""

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def idle(directory: Path, seconds: float) -> Idle:
    """Start the service in a fresh `directory`, wait until it has settled, and look at it.

    seconds: of each of the spans.
    """
    remove(directory)
    with running(directory, free_port()) as copy:

        def spent() -> float:
            return cpu_seconds({"all": copy.process.pid})["all"]

        for used in samples(CALM_SECONDS, MOST_LOOKS, spent):
            if used < CALM:
                break
        minutes = [used * 60 / seconds for used in samples(seconds, SPANS, spent)]
        found = family(copy.process.pid)
        memory = sum(pss_bytes(one.pid) for one in found) / 1024**2
    remove(directory)
    return Idle(len(found), memory, minutes)
