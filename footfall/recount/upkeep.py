"""What is done to the event store every few minutes."""

from footfall.reclassify.past import resume
from footfall.recount.counting import drop_abandoned
from footfall.recount.rebuild import rebuild_lost
from footfall.recount.visitors import recount_noted
from footfall.store.compact import compact
from footfall.store.retain import remove_due
from footfall.viewers.counts import count_agents


def keep_store() -> None:
    """Let what is old leave, compact the rest, rebuild lost projections, count by agent, and count
    the visitors of days again of which that is noted.

    A reclassification that was interrupted comes first: it holds up what follows.
    """
    drop_abandoned()
    resume()
    remove_due()
    compact()
    rebuild_lost()
    count_agents()
    recount_noted()
