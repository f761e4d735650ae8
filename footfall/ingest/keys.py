"""Events with the key of a client: each key is stored once, with the first event that has it."""

from footfall import sql
from footfall.events import DropReason
from footfall.events.keys import has_keys, is_key, life_of, split_key
from footfall.identity import MAX_STEP, Moment
from footfall.ingest.collect import Decoded, selected
from footfall.ingest.producer_states import ProducerStates

MARGIN = MAX_STEP + 2
"""Epochs for which a key is known beyond its life: a clock that jumps takes a day of it, and an
epoch is some of its hours behind."""


def drop_repeated(decoded: Decoded, states: ProducerStates, moment: Moment) -> Decoded:
    """Store the keys of the events; return the events that count, without their keys.

    An event whose key is there already is dropped, and so is the second one of this batch. It is
    the table that decides: another ingest may store the same key at the same time. The key of a
    dead letter is not used up. Raises sql.Conflict; ValueError for a key that is none.
    """
    new = decoded.countable
    split = [list(map(split_key, some.metas)) if has_keys(some.metas) else [] for some in new]
    keys = {key for pairs in split for key, _ in pairs if key}
    if not keys:
        return decoded
    if not all(map(is_key, keys)):
        raise ValueError("an event has a key that no client can have")
    fresh = sql.add_keys({key: moment.epoch + life_of(key) + MARGIN for key in keys})
    keyed = len(fresh)
    left = []
    for some, pairs in zip(new, split, strict=True):
        indexes = []
        for i, (key, _) in enumerate(pairs):
            if not key or key in fresh:
                fresh.discard(key)
                indexes.append(i)
        if pairs:
            states.dropped[some.partition][DropReason.REPEATED] += len(pairs) - len(indexes)
            some = some._replace(metas=[meta for _, meta in pairs])
            some = selected(some, indexes)
        left.append(some)
    return decoded._replace(countable=left, keyed=keyed)
