"""What is done to the event store every few minutes."""

from footfall.reclassify.past import resume
from footfall.recount.counting import drop_abandoned
from footfall.recount.rebuild import rebuild_lost
from footfall.store.compact import compact
from footfall.store.retain import remove_due


def keep_store() -> None:
    """Let what is old leave, compact the rest, and rebuild projections whose position is lost.

    A reclassification that was interrupted comes first: it holds up both.
    """
    drop_abandoned()
    resume()
    remove_due()
    compact()
    rebuild_lost()
