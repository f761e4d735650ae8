"""What is done to the event store every few minutes."""

from footfall.store.compact import compact
from footfall.store.retain import remove_due


def keep_store() -> None:
    """Let what is old leave, and compact the rest."""
    remove_due()
    compact()
