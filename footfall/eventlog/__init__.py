"""A partitioned, ordered log of events on Redis Streams, and a queue of work. No Django.

The delivery contract
---------------------
* `append` returning means: the event is in the log, once, and as durable as the Redis server makes
  it (`appendfsync always`: it survives a power cut; `everysec`: not the last second or so). It does
  not mean that the event has been processed.
* `append` raising `Refused` means: the event is not in the log and never will be.
* `append` raising `Ambiguous` means: the event may be in the log, now or later. Its `event_id` says
  which event that is, so that the reader can count it once, wherever it turns up.
* Nothing here retries an append. A retry is a second event. (A cluster server that does not hold
  the partition says so before it runs anything; then the server that holds it is asked.)

Every event has an `EventId`, unique within its partition: the random id of the producer that sent
it, and that producer's sequence number, which it counts for each partition: 0, 1, 2, and so on. A
producer has at most one append in flight, and an `Ambiguous` append ends the producer; one that was
refused uses no number up. So within a partition the sequence numbers of a producer are in order,
and the highest one applied (the *producer state*) says of every other whether it was applied; and
if a number is left out, an event was lost after it had been appended.

Entry ids are Redis' own, and nothing relies on their order: a clock may jump, and a stream may
start over.
"""

from footfall.eventlog.cluster import is_cluster
from footfall.eventlog.condition import Condition
from footfall.eventlog.entries import (
    Appended,
    Columns,
    Entry,
    EventId,
    Position,
    PositionLost,
    Slice,
)
from footfall.eventlog.errors import Ambiguous, Away, Full, LogError, Refused
from footfall.eventlog.memory import MemoryLog
from footfall.eventlog.partitions import partition_of
from footfall.eventlog.sentinel import is_sentinel
from footfall.eventlog.stream import RedisLog

Log = RedisLog | MemoryLog

__all__ = [
    "Ambiguous",
    "Appended",
    "Away",
    "Columns",
    "Condition",
    "Entry",
    "EventId",
    "Full",
    "Log",
    "LogError",
    "MemoryLog",
    "Position",
    "PositionLost",
    "RedisLog",
    "Refused",
    "Slice",
    "is_cluster",
    "is_sentinel",
    "partition_of",
]
