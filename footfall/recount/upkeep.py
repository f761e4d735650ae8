"""What is done to the event store every few minutes."""

from footfall.ingest.spill import replay_readable
from footfall.reclassify.past import reclassify, resume
from footfall.recount.counting import drop_abandoned
from footfall.recount.rebuild import rebuild_lost, rebuild_stale
from footfall.recount.visitors import recount_noted
from footfall.store.compact import compact
from footfall.store.retain import remove_due
from footfall.store.visits import remove_unused
from footfall.viewers.bursts import find_bursts
from footfall.viewers.counts import count_agents


def keep_store() -> None:
    """Let what is old leave, compact the rest, rebuild lost projections, count by agent, and count
    the visitors of days again of which that is noted. What an older flusher could not read is
    replayed.

    A reclassification that was interrupted comes first: it holds up what follows. Bursts are found
    before it: that takes seconds.
    """
    replay_readable()
    find_bursts()
    drop_abandoned()
    resume()
    remove_due()
    compact()
    rebuild_lost()
    rebuild_stale()
    remove_unused()
    count_agents()
    recount_noted()


def reclassify_all() -> None:
    """Apply what list and operators say today to all events, and to the visitors of their days.

    Raises TakenOver or Unfinished: try again later.
    """
    reclassify()
    recount_noted()
