"""The event, one view of one or more targets: how it is written and read, and why one is refused.

A body, version 2: the byte 2; then for each label, in their order: its length in bytes, the label,
the number of ids, the first id, and the difference of each further id to the one before. Lengths,
numbers and ids are varints: 7 bits a byte, the lowest first, the high bit set if another follows.
Version 1 was JSON.

A target is its label and an id from 1 to 2**63 - 1: an integer key itself, else the hash of the
key. So no table says what an id stands for, and no restore can change it.

Version 3 has the keys behind such ids, too: the byte 3, the length of the keys as a varint, the
keys, and then the same view in version 2. The keys are JSON: {label: [a key for each id]}.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate, pairwise
from operator import itemgetter
from struct import Struct
from typing import Any, NamedTuple

VERSION = b"\x02"
WITH_KEYS = b"\x03"
LATER_VERSIONS = {bytes([number]) for number in range(4, 9)}
BIGINT = 2**63
MAX_LABEL_BYTES = 100
MAX_KEY_LENGTH = 255
"""Characters of a key that is no integer."""
MAX_BODY_BYTES = 1024**2
"""Of a body that can be stored: some 300,000 targets."""
MAX_META_BYTES = 2048
"""Of metadata that are kept with a dead letter."""
EARLIEST, LATEST = 946_684_800_000, 7_258_118_400_000
"""2000 and 2200, in ms since 1970: no event is stored with a time outside of them."""


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


# --- What was viewed ------------------------------------------------------------------------------

Keys = Mapping[str, Mapping[int, str]]
"""By label, then by id: the keys of which the ids are hashes."""


def id_of(key: str) -> int:
    """Return the id of a key that is no integer: 63 bits of its hash.

    Two of a million keys have the same one with a probability of 1 to 18 million.
    """
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") >> 1 or 1


def encode(ids: Mapping[str, Collection[int]], keys: Keys | None = None) -> bytes:
    """Return the body of one view of every target in `ids`: {"pages.content": {1, 2}}.

    keys: those behind the ids that are hashes: {"shop.product": {id_of(key): key}}. The same
    targets give the same bytes, so their views are decoded once. Raises ValueError for what
    `decode` would refuse.
    """
    if not keys:
        if len(ids) == 1:
            ((label, of_label),) = ids.items()
            if len(of_label) == 1:
                return _encode_one(label, *of_label)
        return _encode(ids)
    listed = {label: [key for _, key in sorted(keys[label].items())] for label in sorted(keys)}
    for label, of_label in keys.items():
        if not _are_keys(of_label) or {*of_label} != {*ids[label]}:
            longest = f"1 to {MAX_KEY_LENGTH} characters, none of them 0"
            raise ValueError(f"keys of {label} have {longest}, and ids are made of them")
    text = json.dumps(listed, separators=(",", ":")).encode()
    body = bytearray(WITH_KEYS)
    _append_varint(body, len(text))
    body += text + _encode(ids)
    if len(body) > MAX_BODY_BYTES:
        raise ValueError(f"a view of so many targets has {len(body)} bytes")
    return bytes(body)


def keys_in(body: bytes) -> Keys:
    """Return the keys in an event; without any, {}. Raises Malformed."""
    if body[:1] != WITH_KEYS:
        return {}
    text, view = _split(body)
    ids = _decode(view)
    found: dict[str, dict[int, str]] = {}
    try:
        found = {
            label: dict(zip(ids[label], keys, strict=True))
            for label, keys in json.loads(text).items()
        }
        is_right = all(map(_are_keys, found.values()))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        is_right = False
    if not is_right:
        raise Malformed(DeadLetterReason.INVALID_KEYS, text)
    return found


def _are_keys(keys: Mapping[int, str]) -> bool:
    """Tell whether they can be stored, and have these ids. Raises UnicodeEncodeError."""
    return all(
        0 < len(key) <= MAX_KEY_LENGTH and "\0" not in key and id_of(key) == one
        for one, key in keys.items()
    )


def _split(body: bytes) -> tuple[bytes, bytes]:
    """Return the keys, as JSON, and the body of version 2 behind them. Raises Malformed."""
    try:
        length, at = _read_varint(body, len(WITH_KEYS))
    except IndexError:
        raise Malformed(DeadLetterReason.TRUNCATED) from None
    view = body[at + length :]
    if view[:1] != VERSION:
        raise Malformed(DeadLetterReason.TRUNCATED)
    return body[at : at + length], view


@lru_cache(maxsize=10_000)
def _encode_one(label: str, one: int) -> bytes:
    """Return the body of a view of one target: most are, and of few targets."""
    return _encode({label: [one]})


def _encode(ids: Mapping[str, Collection[int]]) -> bytes:
    body = bytearray(VERSION)
    for label in sorted(ids):
        name, targets = label.encode(), sorted(set(ids[label]))
        if not _is_label(label) or len(name) > MAX_LABEL_BYTES:
            raise ValueError(f"not a label of at most {MAX_LABEL_BYTES} bytes: {label!r}")
        if not targets or not 0 < targets[0] <= targets[-1] < BIGINT:
            raise ValueError(f"ids of {label} are from 1 to 2**63 - 1, and at least one")
        body.append(len(name))
        body += name
        _append_varint(body, len(targets))
        _append_varint(body, targets[0])
        for one, following in pairwise(targets):
            _append_varint(body, following - one)
    if len(body) == len(VERSION):
        raise ValueError("a view has at least one target")
    if len(body) > MAX_BODY_BYTES:
        raise ValueError(f"a view of so many targets has {len(body)} bytes")
    return bytes(body)


def decode(body: bytes) -> dict[str, list[int]]:
    """Return what was viewed, ids by label, of an event of any version. Raises Malformed."""
    if len(body) > MAX_BODY_BYTES:
        raise Malformed(DeadLetterReason.TOO_LONG, len(body))
    if body[:1] == VERSION:
        return _decode(body)
    if body[:1] == WITH_KEYS:
        keys_in(body)  # checked with it
        return _decode(_split(body)[1])
    if body[:1] in LATER_VERSIONS:
        raise Malformed(DeadLetterReason.UNKNOWN_VERSION, body[0])
    return _decode_1(body)


def viewed(body: bytes) -> dict[str, list[int] | list[str]]:
    """Return what was viewed by label, with the keys of ids that are hashes. Raises Malformed."""
    found: dict[str, list[int] | list[str]] = {**decode(body)}
    return found | {label: list(keys.values()) for label, keys in keys_in(body).items()}


def normalize(body: bytes) -> bytes:
    """Return a body of version 1 as one of version 2, and any of a later one as it is, unchecked.

    Raises Malformed.
    """
    return body if body[:1] in (VERSION, WITH_KEYS) else encode(decode(body))


def _append_varint(body: bytearray, number: int) -> None:
    while number > 0x7F:
        body.append(number & 0x7F | 0x80)
        number >>= 7
    body.append(number)


def _decode(body: bytes) -> dict[str, list[int]]:
    targets: dict[str, list[int]] = {}
    at, last = len(VERSION), ""
    try:
        while at < len(body):
            end = at + 1 + body[at]
            label = _label(body[at + 1 : end])
            if label <= last:
                raise Malformed(DeadLetterReason.UNSORTED, label, last)
            targets[label], at = _read_ids(body, end, label)
            last = label
    except IndexError:
        raise Malformed(DeadLetterReason.TRUNCATED) from None
    if not targets:
        raise Malformed(DeadLetterReason.NO_TARGETS)
    return targets


def _read_ids(body: bytes, at: int, label: str) -> tuple[list[int], int]:
    """Return the ids of a label and where they end. Raises Malformed, or IndexError at the end.

    What most bodies have has a path of its own: fewer than 128 ids, and small differences.
    """
    count = body[at]
    count, at = (count, at + 1) if count < 0x80 else _read_varint(body, at)
    if not count:
        raise Malformed(DeadLetterReason.NO_IDS, label)
    first, at = _read_varint(body, at)
    end = at + count - 1
    differences: Sequence[int] = body[at:end]
    if not body[at:end].isascii():
        differences, end = _read_varints(body, at, count - 1)
    elif end > len(body):
        raise IndexError
    if 0 in differences:
        raise Malformed(DeadLetterReason.DUPLICATE_ID, label)
    ids = [*accumulate(differences, initial=first)] if differences else [first]
    if not 0 < first <= ids[-1] < BIGINT:
        raise Malformed(DeadLetterReason.INVALID_ID, label, ids[-1] if first else first)
    return ids, end


def _read_varints(body: bytes, at: int, count: int) -> tuple[list[int], int]:
    numbers: list[int] = []
    while len(numbers) < count:
        number, at = _read_varint(body, at)
        numbers.append(number)
    return numbers, at


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at byte `at`, and where it ends.

    It must have at most 63 bits, and be written in the shortest way.
    """
    byte = body[at]
    if byte < 0x80:
        return byte, at + 1
    number, shift = byte & 0x7F, 7
    while shift < 63:
        at += 1
        byte = body[at]
        if byte < 0x80:
            if not byte:
                break
            return number | byte << shift, at + 1
        number |= (byte & 0x7F) << shift
        shift += 7
    raise Malformed(DeadLetterReason.INVALID_NUMBER, at)


@lru_cache(maxsize=1000)
def _label(name: bytes) -> str:
    """Return a label as text. Raises Malformed."""
    try:
        label = name.decode()
    except UnicodeDecodeError:
        label = ""
    if not _is_label(label) or len(name) > MAX_LABEL_BYTES:
        raise Malformed(DeadLetterReason.INVALID_LABEL, name)
    return label


def _is_label(label: str) -> bool:
    """Tell whether a text has the form of a label; it goes into the database as it is."""
    app, _, model = label.partition(".")
    return app.isidentifier() and model.isidentifier()


def _decode_1(body: bytes) -> dict[str, list[int]]:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(DeadLetterReason.NOT_JSON, type(error).__name__) from error
    if not isinstance(event, dict) or event.get("type") != "Viewed":
        raise Malformed(DeadLetterReason.NOT_A_VIEW)
    if event.get("v") != 1:
        raise Malformed(DeadLetterReason.UNKNOWN_VERSION, event.get("v"))
    targets: Any = event.get("ids")
    if not isinstance(targets, dict) or not targets:
        raise Malformed(DeadLetterReason.NO_TARGETS)
    return {
        _label(label.encode(errors="surrogatepass")): _check_ids(label, ids)
        for label, ids in targets.items()
    }


def _check_ids(label: str, ids: Any) -> list[int]:
    if not isinstance(ids, list) or not ids:
        raise Malformed(DeadLetterReason.NO_IDS, label)
    for one in ids:
        if type(one) is not int or not 0 < one < BIGINT:
            raise Malformed(DeadLetterReason.INVALID_ID, label, one)
    if len(set(ids)) != len(ids):
        raise Malformed(DeadLetterReason.DUPLICATE_ID, label)
    return ids


# --- What else is known about a view --------------------------------------------------------------


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
