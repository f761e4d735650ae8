"""The event: one view of one or more targets.

`body` writes and reads what was viewed, `meta` what else is known about it. `keys` has the keys of
clients. `reasons` says why an event is refused or not counted. `labels`, `varints` and `version_1`
are parts of `body`.
"""

from footfall.events.body import (
    MAX_BODY_BYTES,
    MAX_KEY_LENGTH,
    Keys,
    decode,
    encode,
    id_of,
    keys_in,
    normalize,
    viewed,
)
from footfall.events.meta import (
    AGENT_PLACES,
    MAX_META_BYTES,
    VIEWER,
    Meta,
    agents_of,
    decode_meta,
    distinct_agents,
    encode_meta,
    malformed_metas,
    places_of,
)
from footfall.events.reasons import DeadLetterReason, DropReason, Malformed
from footfall.events.varints import BIGINT

EARLIEST, LATEST = 946_684_800_000, 7_258_118_400_000
"""2000 and 2200, in ms since 1970: no event is stored with a time outside of them."""

__all__ = [
    "AGENT_PLACES",
    "BIGINT",
    "EARLIEST",
    "LATEST",
    "MAX_BODY_BYTES",
    "MAX_KEY_LENGTH",
    "MAX_META_BYTES",
    "VIEWER",
    "DeadLetterReason",
    "DropReason",
    "Keys",
    "Malformed",
    "Meta",
    "agents_of",
    "decode",
    "decode_meta",
    "distinct_agents",
    "encode",
    "encode_meta",
    "id_of",
    "keys_in",
    "malformed_metas",
    "normalize",
    "places_of",
    "viewed",
]
