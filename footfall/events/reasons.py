"""Why an event is refused, or not counted."""

from enum import StrEnum


class DeadLetterReason(StrEnum):
    """Why an event becomes a dead letter, as operators read it: `{}` stands for what was found.

    `DropReason` has the reasons for which an event is not counted.
    """

    NOT_JSON = "not JSON: {}"
    NOT_A_VIEW = "not a view"
    UNKNOWN_VERSION = "unknown version {!r:.40}"
    TRUNCATED = "ends too early"
    TOO_LONG = "has {} bytes"
    INVALID_NUMBER = "not a number at byte {}"
    NO_TARGETS = "names no targets"
    INVALID_LABEL = "not the name of a model: {!r:.100}"
    UNSORTED = "names {} after {}"
    NO_IDS = "names no ids of {}"
    INVALID_ID = "not an id of {}: {!r:.60}"
    DUPLICATE_ID = "names an id of {} twice"
    INVALID_KEYS = "has other keys than ids: {!r:.100}"
    INVALID_META = "not metadata: {!r:.100}"
    FOREIGN = "not an entry that this service has made"
    TOO_OLD = "from so long ago that it is not known any more whether it was counted"


class DropReason(StrEnum):
    """A key of `Partition.dropped` and `Projection.dropped`, and the label `reason` of the metric
    `footfall_dropped_events`.

    For DEAD_LETTER, `DeadLetterReason` says why.
    """

    ALREADY_COUNTED = "already_counted"
    COUNTED_FROM_LOG = "counted_from_log"
    """The spilled copy of an event that was counted from the log."""
    COUNTED_FROM_SPILL = "counted_from_spill"
    """The entry of an event whose spilled copy was counted."""
    REPEATED = "repeated"
    """An event whose key was stored before: its client has sent it again."""
    DEAD_LETTER = "dead_letter"
    TARGET_DELETED = "target_deleted"
    COUNTER_FULL = "counter_full"
    """Views of a target whose counter has reached the highest number of its column."""


class Malformed(Exception):
    """The event cannot be counted; the message says why, for operators."""

    def __init__(self, reason: DeadLetterReason, *found: object) -> None:
        super().__init__(reason.format(*found))
        self.reason = reason
