"""What is done to the event store every few minutes."""

from footfall.recount.counting import drop_abandoned
from footfall.recount.rebuild import rebuild_lost
from footfall.recount.visitors import recount_noted
from footfall.store.compact import compact
from footfall.store.retain import remove_due


def keep_store() -> None:
    """Let what is old leave, compact the rest, rebuild projections whose position is lost, and
    count the visitors of days again of which that is noted.
    """
    drop_abandoned()
    remove_due()
    compact()
    rebuild_lost()
    recount_noted()
