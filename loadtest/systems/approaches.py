"""The approaches that are compared: how each is started, and where its counts are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

CONTENT_COUNTERS = "SELECT id, counter FROM pages_content"
HITS = (
    "SELECT pages_content.id, hits FROM hitcount_hit_count"
    " RIGHT JOIN pages_content ON object_pk = pages_content.id"
)


@dataclass(frozen=True)
class Approach:
    """One row of the table."""

    name: str
    title: str
    peer: str = ""
    """The app in `loadtest/peers`; empty for Footfall itself."""
    application: str = "loadtest.peers.wsgi:application"
    workers: tuple[tuple[str, ...], ...] = ()
    """Arguments of `celery worker`, one tuple per worker."""
    counters: str = CONTENT_COUNTERS
    """Query for each content's id and views."""
    counting: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    """Settings of its web server that the others do not have."""
    repetitions: int = 2
    """At most; Footfall's own rows are measured as often as the plan says."""

    @property
    def logs(self) -> bool:
        """Whether Redis holds views that are not counted yet."""
        return self.counting and bool(self.workers or not self.peer)

    @property
    def site(self) -> str:
        """The name of the database. Approaches that share one are measured side by side."""
        return self.peer or "footfall"


# Batches that overlap would deadlock in the database: where there are any, one process writes them.
ONE, TWO = ("--concurrency", "1"), ("--concurrency", "2")

CONSTANT = Approach("constant", "constant Django view", "constant", counting=False)
"""The yardstick: it runs all the time, and is measured before and after each other row."""

APPROACHES = (
    Approach(
        "uncounted",
        "Footfall, counting off",
        application="loadtest.peers.uncounted:application",
        counting=False,
        repetitions=99,
    ),
    Approach("footfall", "Footfall", application="project.wsgi:application", repetitions=99),
    Approach(
        "anonymous",
        "Footfall, without visitors and agents",
        application="project.wsgi:application",
        environment={"COUNTERS_VISITORS": "false", "COUNTERS_AGENTS_PER_DAY": "0"},
        repetitions=99,
    ),
    Approach("increment", "DRF + F() + 1", "increment"),
    Approach("task", "DRF + a Celery task per view", "task", workers=(TWO,)),
    Approach("buffer", "DRF + HINCRBY, flushed every s", "buffer", workers=((*ONE, "--beat"),)),
    Approach("batches", "DRF + celery-batches", "batches", workers=(ONE,)),
    Approach("hits", "DRF + django-hitcount", "hits", counters=HITS, repetitions=1),
)

BY_NAME = {approach.name: approach for approach in (CONSTANT, *APPROACHES)}
SITES = dict.fromkeys(approach.site for approach in (CONSTANT, *APPROACHES))


def side_by_side(names: list[str]) -> dict[str, list[Approach]]:
    """Return the approaches of these names by their site."""
    chosen = [approach for approach in APPROACHES if approach.name in names]
    return {
        site: [approach for approach in chosen if approach.site == site]
        for site in dict.fromkeys(approach.site for approach in chosen)
    }
