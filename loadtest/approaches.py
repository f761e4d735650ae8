"""What is compared: how each approach is started, and where its counts are found."""

from dataclasses import dataclass

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
    slow: bool = False
    """Measured once, with fewer requests."""

    @property
    def logs(self) -> bool:
        """Whether Redis holds what is not counted yet."""
        return self.counting and bool(self.workers or not self.peer)

    @property
    def site(self) -> str:
        """The name of the database: Footfall's two rows share one, and its cached pages."""
        return self.peer or "footfall"


# Batches that overlap would deadlock in the database: where there are any, one process writes them.
ONE, TWO = ("--concurrency", "1"), ("--concurrency", "2")

APPROACHES = (
    Approach("constant", "constant Django view", "constant", counting=False),
    Approach(
        "uncounted",
        "Footfall, counting off",
        application="loadtest.peers.uncounted:application",
        counting=False,
    ),
    Approach("footfall", "Footfall", application="project.wsgi:application"),
    Approach("increment", "DRF + F() + 1", "increment"),
    Approach("task", "DRF + a Celery task per view", "task", workers=(TWO,)),
    Approach("buffer", "DRF + HINCRBY, flushed every s", "buffer", workers=((*ONE, "--beat"),)),
    Approach("batches", "DRF + celery-batches", "batches", workers=(ONE,)),
    Approach("hits", "DRF + django-hitcount", "hits", counters=HITS, slow=True),
)

BY_NAME = {approach.name: approach for approach in APPROACHES}
