"""What is done to the event store every few minutes."""

from footfall.reclassify.past import resume
from footfall.recount.counting import drop_abandoned
from footfall.recount.rebuild import rebuild_lost
from footfall.store.compact import compact
from footfall.store.retain import remove_due
from footfall.viewers.counts import count_agents


def keep_store() -> None:
    """Let what is old leave, compact the rest, rebuild lost projections, and count by agent.

    A reclassification that was interrupted comes first: it holds up what follows.
    """
    drop_abandoned()
    resume()
    remove_due()
    compact()
    rebuild_lost()
    count_agents()
