"""How fast a backlog is counted: Footfall's flush, against one UPDATE per event."""

import secrets
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import pairwise
from zlib import crc32

import redis

from loadtest.common import zipf
from loadtest.measure.measurement import HOT
from loadtest.systems.servers import Place, manage, run
from loadtest.systems.sites import Site

SINGLE_SECONDS = 2.0  # of one UPDATE per event
PARTITIONS = 8
BATCH_SIZE = 2_000

# As docs/explanation/architecture.md describes the log. KEYS: stream, offset.
# ARGV: producer id (packed), sequence, bodies
FILL = """
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000)
for i = 3, #ARGV do
  local offset = struct.pack('>I8', redis.call('INCR', KEYS[2]))
  local rest = struct.pack('>I4I8', ARGV[2] + i - 3, at)
  redis.call('XADD', KEYS[1], '*', 'h', offset .. ARGV[1] .. rest, 'b', ARGV[i])
end
"""


TOOK = """
    SELECT sum(events), extract(epoch FROM (SELECT max(moved_at) FROM counters_projection))
        - extract(epoch FROM min(stored_at))
    FROM counters_segment WHERE number > %s
"""


def drain(place: Place, site: Site, load: str, count: int) -> float:
    """Put a backlog of `count` events into the log; return how many are counted per second.

    From the begin of the first ingest until they are in every counter and rollup.
    """
    pages = [site.hot] if load == HOT else zipf.draw(site.pages, count, seed=2)
    fill(place, site, pages, count)
    last = site.stores.execute("footfall", "SELECT number FROM counters_storehead")[0][0]
    run(manage(place.environment(site.approach), "counters", "flush"))
    events, seconds = site.stores.execute("footfall", TOOK, last)[0]
    return float(events) / float(seconds)


def fill(place: Place, site: Site, pages: list[int], count: int) -> None:
    """Append `count` views of `pages`, as if web servers had."""
    by_partition: dict[int, list[bytes]] = {}
    bodies = {page: body(page, site.contents[page]) for page in set(pages)}
    for i in range(count):
        page = pages[i % len(pages)]
        partition = crc32(f"pages.page:{page}".encode()) % PARTITIONS
        by_partition.setdefault(partition, []).append(bodies[page])
        site.ledger.attempted[page] += 1
        site.ledger.answered[page] += 1
    with redis.Redis.from_url(place.stores.redis_url(place.redis_number(site.approach))) as client:
        script = client.register_script(FILL)
        (identity,) = client.hkeys("footfall:identities")
        prefix = f"footfall:{identity.decode()}"
        for partition, waiting in by_partition.items():
            keys = [f"{prefix}:{{{partition}}}:{name}" for name in ("log", "ordinal")]
            producer_id = struct.pack(">Q", secrets.randbits(63))
            for start in range(0, len(waiting), BATCH_SIZE):
                script(keys=keys, args=[producer_id, start, *waiting[start : start + BATCH_SIZE]])


def body(page: int, contents: list[int]) -> bytes:
    ids = {b"pages.content": sorted(set(contents)), b"pages.page": [page]}
    groups = [
        bytes([len(label)]) + label + bytes(varints([len(some), some[0], *differences(some)]))
        for label, some in ids.items()
    ]
    return b"\2" + b"".join(groups)


def differences(numbers: list[int]) -> Iterator[int]:
    return (following - one for one, following in pairwise(numbers))


def varints(numbers: Iterable[int]) -> Iterator[int]:
    for number in numbers:
        while number > 0x7F:
            yield number & 0x7F | 0x80
            number >>= 7
        yield number


def one_by_one(site: Site, load: str) -> float:
    """Return how many events per second one connection counts with an UPDATE and a commit each."""
    pages = [site.hot] if load == HOT else zipf.draw(site.pages, 10_000, seed=3)
    done = 0
    with (
        closing(site.stores.connect(site.approach.site)) as connection,
        connection.cursor() as cursor,
    ):
        started = time.monotonic()
        while time.monotonic() - started < SINGLE_SECONDS:
            page = pages[done % len(pages)]
            cursor.execute(
                "UPDATE pages_content SET counter = counter + 1 WHERE id = ANY(%s)",
                [site.contents[page]],
            )
            site.ledger.attempted[page] += 1
            site.ledger.answered[page] += 1
            done += 1
        return done / (time.monotonic() - started)
