from collections import Counter

from footfall.eventlog import partition_of
from footfall.eventlog.partitions import partition_key


def test_a_key_always_goes_to_the_same_partition() -> None:
    # Fixed for ever: after an upgrade a page must not be in two partitions' read caches.
    partitions = [partition_of(f"pages.page:{pk}", 8) for pk in range(1, 9)]

    assert partitions == [5, 7, 1, 2, 4, 6, 0, 1]


def test_keys_spread_evenly() -> None:
    counts = Counter(partition_of(f"pages.page:{pk}", 8) for pk in range(10_000))

    assert set(counts) == set(range(8))
    assert max(counts.values()) < 1.2 * min(counts.values())


def test_the_name_of_a_key() -> None:
    assert partition_key("footfall", 3, "log") == "footfall:{3}:log"
