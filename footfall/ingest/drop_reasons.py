"""Why an event is dropped."""

from enum import StrEnum


class DropReason(StrEnum):
    """A key of `Batch.dropped`, and the label `reason` of the metric `footfall_dropped_events`."""

    ALREADY_COUNTED = "already_counted"
    COUNTED_FROM_LOG = "counted_from_log"
    """The spilled copy of an event that was counted from the log."""
    COUNTED_FROM_SPILL = "counted_from_spill"
    """The entry of an event whose spilled copy was counted."""
    DEAD_LETTER = "dead_letter"
    TARGET_DELETED = "target_deleted"
