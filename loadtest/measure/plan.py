"""How long and how often the bench measures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Times are in seconds.

    What Footfall does every ten seconds is in each of its loads, several times. The peers do
    nothing less often than once a second: two loads of half the time tell as much of them.
    """

    seconds: float = 30.0
    written_seconds: float = 60.0
    """Of a load on Footfall that writes rows, and so has a share of everything periodic."""
    peer_seconds: float = 15.0
    warm_seconds: float = 4.0
    """Of a load that is not measured, before each that is."""
    peer_warm_seconds: float = 2.0
    constant_seconds: float = 3.0
    """Of the constant view before and after each load."""
    freshness_seconds: float = 8.0
    idle_seconds: float = 20.0
    """Of each of the three times that an idle service is looked at."""
    repetitions: int = 3
    repeats: int = 2
    """Of a repetition that was disturbed, at most."""
    pages: int = 10_000
    drained: int = 100_000
    """Events of a backlog."""
    connections: int = 16
    seed: int = 1

    @classmethod
    def quick(cls) -> "Plan":
        """Return one that shows in some minutes that the bench works, and no figures to quote."""
        seconds = (3.0, 5.0, 2.0, 1.0, 0.5, 1.0, 2.0, 5.0)
        return cls(*seconds, repetitions=1, repeats=0, pages=1_000, drained=10_000)
