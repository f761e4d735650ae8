"""Bodies of version 1, which was JSON: events of it may still be in a log."""

import json
from typing import Any

from footfall.events.labels import label_of
from footfall.events.reasons import DeadLetterReason, Malformed
from footfall.events.varints import BIGINT


def decode(body: bytes) -> dict[str, list[int]]:
    """Return ids by label. Raises Malformed."""
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
        label_of(label.encode(errors="surrogatepass")): _check_ids(label, ids)
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
