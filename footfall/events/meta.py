"""What else is known about a view: its metadata, as bytes."""

from collections.abc import Collection, Sequence
from operator import itemgetter
from struct import Struct
from typing import NamedTuple

from footfall.events.reasons import DeadLetterReason, Malformed

MAX_META_BYTES = 2048
"""Of metadata that are kept with a dead letter."""


class Meta(NamedTuple):
    """Metadata of an event; a fact that is not known is 0 or b""."""

    database: int = 0
    """Identity of the database for which it was recorded: 32 bits."""
    visitor: int = 0
    """64 bits, like the next."""
    agent: int = 0
    key: bytes = b""
    """Of the client, so that it can send an event again: 16 bytes."""
    trace: bytes = b""
    """Trace id: 16 bytes."""
    told: bytes = b""
    """What `agent` is the hash of: a byte that says how the request came, and the user agent in
    UTF-8. The first events of an agent have it, until they are stored. Of any length, so last."""


META_BYTES = (4, 8, 8, 16, 16)
"""How long each fact is, but the last."""
TOLD = 1 << len(META_BYTES)
"""The bit of the last."""


def encode_meta(meta: Meta) -> bytes:
    """Return the metadata as bytes: a byte with a bit for each fact that is known, then those.

    Without any it is b"". Raises ValueError or OverflowError for one that is too long or short.
    """
    facts: tuple[int | bytes, ...] = meta[:-1]
    known, parts = TOLD if meta.told else 0, []
    for place, (fact, size) in enumerate(zip(facts, META_BYTES, strict=True)):
        if fact:
            known |= 1 << place
            parts.append(fact if isinstance(fact, bytes) else fact.to_bytes(size, "big"))
            if len(parts[-1]) != size:
                raise ValueError(f"{Meta._fields[place]} has {size} bytes, not {len(parts[-1])}")
    return bytes([known, *b"".join(parts), *meta.told]) if known else b""


def decode_meta(data: bytes) -> Meta:
    """Return metadata as `encode_meta` has written it. Raises Malformed for anything else."""
    facts: list[int | bytes] = [*Meta()]
    at = 1
    for place, size in enumerate(META_BYTES):
        if data and data[0] >> place & 1:
            fact = data[at : at + size]
            at += size
            facts[place] = fact if facts[place] == b"" else int.from_bytes(fact, "big")
    if data and data[0] & TOLD:
        facts[-1] = data[at:]
        at = max(at, len(data))
    meta = Meta._make(facts)
    if (len(data) != at and data) or encode_meta(meta) != data:
        raise Malformed(DeadLetterReason.INVALID_META, data)
    return meta


def places_of(fact: str) -> Sequence[slice]:
    """Return where a fact is in metadata, by their first byte; without it, a slice of 0 bytes."""
    place = Meta._fields.index(fact)
    places = []
    for known in range(256):
        sizes = [size * (known >> i & 1) for i, size in enumerate(META_BYTES[: place + 1])]
        places.append(slice(1 + sum(sizes[:-1]), 1 + sum(sizes)))
    return places


# Most metadata: visitor and agent, no more. Of a whole column this is told without looking at each.
VIEWER, VIEWER_BYTES = b"\x06", 17
AGENT = itemgetter(slice(9, VIEWER_BYTES))
"""Takes the agent from such metadata, and b"" from b""."""
VIEWER_AGENT = Struct(">9xQ")
AGENT_PLACES = places_of("agent")


def are_viewers(metas: Collection[bytes]) -> bytes:
    """Return these metadata in one, if each is visitor and agent; else b""."""
    joined = b"".join(metas)
    if len(joined) != VIEWER_BYTES * len(metas) or {*map(len, metas)} != {VIEWER_BYTES}:
        return b""
    is_other = joined[::VIEWER_BYTES].strip(VIEWER) or bytes(8) in joined
    return b"" if is_other else joined


def _plain(metas: Collection[bytes]) -> bytes | None:
    """Return these metadata, which are valid, in one, if each is visitor and agent, or nothing."""
    joined = b"".join(metas)
    is_plain = {*map(len, metas)} <= {0, VIEWER_BYTES}
    return joined if is_plain and not joined[::VIEWER_BYTES].strip(VIEWER) else None


def agents_of(metas: Sequence[bytes]) -> list[bytes]:
    """Return the 8 bytes of the agent in each of these metadata; b"" of one without."""
    if _plain(metas) is not None:
        return list(map(AGENT, metas))
    return [meta[AGENT_PLACES[meta[0]]] if meta else b"" for meta in metas]


def distinct_agents(metas: Collection[bytes]) -> tuple[set[int], Collection[bytes]]:
    """Return the agents in these metadata, which are valid; and those that may tell a string."""
    if (joined := _plain(metas)) is not None:
        return {agent for (agent,) in VIEWER_AGENT.iter_unpack(joined)}, ()
    others = [meta for meta in metas if meta[:1] != VIEWER]
    agents = {meta[AGENT_PLACES[meta[0]]] for meta in metas if meta}
    return {int.from_bytes(agent, "big") for agent in agents if agent}, others


def malformed_metas(metas: Collection[bytes]) -> dict[bytes, str]:
    """Return which of these are no metadata, and why."""
    reasons: dict[bytes, str] = {}
    if are_viewers(metas):
        return reasons
    distinct = set(metas)
    viewers = [meta for meta in distinct if len(meta) == VIEWER_BYTES]
    if are_viewers(viewers):
        distinct.difference_update(viewers)
    for meta in distinct:
        try:
            decode_meta(meta)
        except Malformed as malformed:
            reasons[meta] = str(malformed)
    return reasons
