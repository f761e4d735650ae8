"""Which partition an event goes to, and the names of a partition's keys."""

from zlib import crc32


def partition_of(key: str, partitions: int) -> int:
    """Return the partition, 0 to `partitions` - 1, of all events with this `key`."""
    return crc32(key.encode()) % partitions


def partition_key(prefix: str, partition: int, name: str) -> str:
    """Return the Redis key of a partition's `name`.

    The braces are a hash tag: in a Redis Cluster all keys of a partition are in one slot
    (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags).
    """
    return f"{prefix}:{{{partition}}}:{name}"


def cached(name: str) -> str:
    """Return the `name`, for `partition_key`, of the page that is cached under `name`.

    The number is that of the form in which a page is cached.
    """
    return f"cached:2:{name}"
