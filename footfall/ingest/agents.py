"""Agents on their way into the store: their strings go to a table, the store has their hashes.

Which agents have a row, and what kind they are, is told by the store and the table alone. New ones
per day are limited: strangers can make up as many as they like.
"""

from collections.abc import Collection, Mapping
from time import monotonic

from django.db.models import QuerySet

from footfall.common.chunks import chunks
from footfall.conf import cached_until_change, conf
from footfall.events import VIEWER, decode_meta, distinct_agents, encode_meta
from footfall.identity import HOURS_PER_DAY, Moment, lock_identity
from footfall.models import Agent, StoreHead
from footfall.models.viewers import signed, unsigned
from footfall.store.read import is_known, store_head
from footfall.store.segment import Events
from footfall.viewers.agents import Told, hash_of, printable
from footfall.viewers.rules import Rules

ROWS_PER_STATEMENT, KEYS_PER_QUERY = 500, 5_000
KNOWN_SECONDS, MAX_KNOWN = 60.0, 100_000
"""For so long it is taken that an agent still has its row, and of how many."""


def keep_agents(events: Events, moment: Moment) -> None:
    """Take the strings out of the metadata, and insert a row for each new agent.

    In the transaction of the ingest. An agent for which there is no room has the number 0 from then
    on.
    """
    agents, others = distinct_agents(events.metas)
    told = {meta.agent: meta.told for meta in map(decode_meta, others) if meta.told}
    refused = insert_new(agents, told, moment)
    if told or refused:
        _replace(events, refused)


def insert_new(agents: Collection[int], told: Mapping[int, bytes], moment: Moment) -> set[int]:
    """Insert those of the agents that have no row, up to the limit; return those without room."""
    if not agents:
        return set()
    known = _known(agents)
    if filled := {one: text for one, text in told.items() if one in known}:
        _fill_in(filled)
    missing = {*agents} - known
    if not missing:
        return missing
    if not _room(moment):
        return missing - _known(missing)  # another ingest may have inserted some
    # One ingest at a time, so the limit is exact, and no two insert the same agent.
    lock_identity()
    missing -= _known(missing)
    # Those whose string is known come first, then in the order of their hashes.
    chosen = sorted(missing, key=lambda one: (one not in told, one))[: _room(moment)]
    rules = Rules.read() if chosen else Rules([])
    Agent.objects.bulk_create(
        [_row(one, told.get(one, b""), rules, moment) for one in sorted(chosen, key=signed)],
        batch_size=ROWS_PER_STATEMENT,
    )
    return missing - {*chosen}


class KnownAgents:
    """Agents that had a row a moment ago. Rows stay, unless the database is restored: then it may
    not have the segment that was its last one when they were looked for.
    """

    def __init__(self) -> None:
        self.agents: set[int] = set()
        self.ends = 0.0
        self.position = StoreHead().position


known_agents = cached_until_change(KnownAgents)


def _known(agents: Collection[int]) -> set[int]:
    """Return which of the agents have a row."""
    known = known_agents()
    is_over = monotonic() >= known.ends or len(known.agents) > MAX_KNOWN
    if is_over or (known.agents and not is_known(known.position)):
        known.agents, known.ends = set(), monotonic() + KNOWN_SECONDS
    found = {*agents} & known.agents
    if missing := [signed(one) for one in {*agents} - found]:
        for some in chunks(missing, KEYS_PER_QUERY):
            rows = Agent.objects.filter(hash__in=some)
            found.update(map(unsigned, rows.order_by().values_list("hash", flat=True)))
        # Read after the rows: what has inserted them is before it. And before they are remembered:
        # a database that fails over here may come back without some of them.
        position = store_head().position
        known.agents |= found
        known.position = position
    return found


def _room(moment: Moment) -> int:
    """Return how many new agents there is room for today."""
    first = moment.day * HOURS_PER_DAY
    # Epochs may begin anew: higher ones are not of today.
    epochs = first, first + HOURS_PER_DAY - 1
    today: QuerySet[Agent] = Agent.objects.filter(first_epoch__range=epochs)
    return max(0, conf.COUNTERS_AGENTS_PER_DAY - today.count())


def _row(agent: int, told: bytes, rules: Rules, moment: Moment) -> Agent:
    row = Agent(hash=signed(agent), first_at=moment.now, first_epoch=moment.epoch)
    if text := _checked(agent, told):
        row.string, row.how = text.string, text.how
        row.kind = rules.wanted(text.string, text.how)
    return row


def _fill_in(told: Mapping[int, bytes]) -> None:
    """Give rows their string that were inserted without. One that is locked waits for next time."""
    rows = Agent.objects.filter(hash__in=map(signed, told), string="")
    for row in rows.select_for_update(skip_locked=True).order_by("hash"):
        agent = unsigned(row.hash)
        if (text := _checked(agent, told[agent])) and (text.string or text.how):
            row.string, row.how = text.string, text.how
            row.save(update_fields=["string", "how"])


def _checked(agent: int, told: bytes) -> Told | None:
    """Return what is told of an agent; None if it is nothing, or not of this one."""
    if not told or hash_of(told) != agent:
        return None
    try:
        text = Told.decode(told)
    except ValueError:
        return None
    return text if text.string == printable(text.string) else None


def _stored(meta: bytes, refused: Collection[int]) -> bytes:
    """Return metadata as it is stored: without string, and without an agent that has no row."""
    if meta[:1] == VIEWER and not refused:
        return meta
    facts = decode_meta(meta)
    agent = 0 if facts.agent in refused else facts.agent
    return encode_meta(facts._replace(told=b"", agent=agent))


def _replace(events: Events, refused: Collection[int]) -> None:
    """Replace the distinct metadata, of which some may be the same then."""
    table: dict[bytes, int] = {}
    moves = [table.setdefault(_stored(meta, refused), len(table)) for meta in events.metas]
    events.metas = list(table)
    events.meta = list(map(moves.__getitem__, events.meta))
