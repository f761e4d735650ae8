"""A partitioned, ordered log of events on Redis Streams, and a queue of work. No Django.

The delivery contract
---------------------
* `append` returning means: the event is in the log, once, and as durable as the Redis server makes
  it (`appendfsync always`: it survives a power cut; `everysec`: not the last second or so). It does
  not mean that anybody has processed it.
* `append` raising `Refused` means: the event is not in the log and never will be.
* `append` raising `Ambiguous` means: it may be in the log, now or later. Its `number` says which
  event that is, so that whoever counts can count it once, wherever it turns up.
* Nothing here retries an append. A retry is a second event. (A server of a cluster that does not
  have the partition says so before it runs anything; then the one that has it is asked.)

Every event has a `Number`: the random id of the session of the writer that sent it, and that
session's sequence number, which grows with each append. A writer has one append in flight at most,
and an `Ambiguous` one ends its session: so within a partition the numbers of a session stand in
order, and the highest one applied (a *mark*) says of every other whether it was applied.

Entry ids are Redis' own, and nothing rests on their order: a clock may jump, a stream may start
over.
"""

from footfall.eventlog.cluster import is_cluster
from footfall.eventlog.entries import Appended, Entry, EventId, Position, Slice
from footfall.eventlog.errors import Ambiguous, Away, Full, LogError, Refused
from footfall.eventlog.log import Log
from footfall.eventlog.partitions import partition_of
from footfall.eventlog.stream import RedisLog

__all__ = [
    "Ambiguous",
    "Appended",
    "Away",
    "Entry",
    "EventId",
    "Full",
    "Log",
    "LogError",
    "Position",
    "RedisLog",
    "Refused",
    "Slice",
    "is_cluster",
    "partition_of",
]
