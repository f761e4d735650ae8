"""What a process knows for telling viewers apart: salts, and the addresses of monitors.

A thread reads it from the database every minute, so no request waits for that: only views in the
first second of a process do. While the database is away, views go on with what is known; without a
salt their visitor is 0.
"""

import logging
import threading
from functools import lru_cache
from hashlib import blake2b
from time import monotonic
from typing import NamedTuple

from django.conf import settings
from django.db import connection

from footfall.conf import cached_until_change, conf
from footfall.events import VIEWER, Meta, encode_meta
from footfall.identity import database_now
from footfall.log import is_in_memory, look_at_owner
from footfall.models import AgentRule, How
from footfall.models.viewers import MAX_STRING
from footfall.viewers.addresses import Network, address_of, is_in, networks, packed, prefix
from footfall.viewers.agents import Told, clean, hash_of, is_prefetch
from footfall.viewers.salts import DAY, make_salts

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 60.0
RETRY_SECONDS = 5.0
"""Between two tries to read the database."""
FIRST_SECONDS = 1.0
"""For so long the first views wait for the salts."""
TELL_SECONDS, TELL_AGAIN_SECONDS = 5.0, 3600.0
"""For so long a process tells the string of a new agent, and after so long again: what it has told
may be lost, or stored later than the next event."""
MAX_REMEMBERED, MAX_AGENTS = 32_768, 4_096
"""Most that is remembered, the first of them twice: some 12 MB at most."""
MAX_HOST = 255
PLAIN = How.PLAIN  # Looking it up takes as long as a hash.
ZERO, NOT_0 = bytes(8), bytes(7) + b"\1"
"""A hash that would say that there is none, and what is in its place."""


class Salted(NamedTuple):
    """A salt, and when it is used: by `time.monotonic()`."""

    begins: float
    ends: float
    salt: bytes


class Read(NamedTuple):
    """What was read."""

    salts: tuple[Salted, ...] = ()
    """Of this window and the next."""
    monitors: tuple[Network, ...] = ()


def read() -> Read:
    """Read the salts and the operators' address ranges, and look whether the database is the same.

    Raises DatabaseError.
    """
    look_at_owner()
    began = monotonic()
    now = database_now()
    found = make_salts(now) if conf.COUNTERS_VISITORS else []
    length = conf.COUNTERS_VISITOR_DAYS * DAY.total_seconds()
    salts = []
    for window, salt in found:
        begins = began + (window - now).total_seconds()
        salts.append(Salted(begins, begins + length, salt))
    rules = AgentRule.objects.filter(match=AgentRule.Match.ADDRESSES)
    monitors = networks(rules.order_by("pk").values_list("value", flat=True))
    return Read(tuple(salts), monitors)


NOTHING_ELSE = [None] * 6
"""For headers of which most requests have none: four of prefetches, DNT and Sec-GPC."""


class Agent:
    """An agent, and until when its events tell what it is."""

    __slots__ = ("hash", "header", "packed", "told", "until")

    def __init__(self, how: How, header: str) -> None:
        self.header = header.encode(errors="replace")
        self.told = Told(how, clean(header)).encode()
        self.hash = hash_of(self.told)
        self.packed = self.hash.to_bytes(8, "big")
        self.until = 0.0

    def tells(self, now: float) -> bool:
        """Tell whether an event of now has the string: for some seconds from the first on."""
        self.until = self.until or now + TELL_SECONDS
        return now < self.until


class Memory:
    """What is known, and the metadata of clients that were seen lately. Safe for threads."""

    def __init__(self) -> None:
        self.metas: dict[int, bytes] = {}
        """By the hash of the headers: no address stays in memory, and no header, however long. A
        wrong one is found once in 10^10 clients. Those whose agent is still told are not in it."""
        self.wakes = 0.0
        """When something is due, by `time.monotonic()`: reading, the next salt, telling again."""
        self._older: dict[int, bytes] = {}
        self._read = self._chosen = Read()
        """What was read last, and that of which the salt was chosen."""
        self._due = self._waits_until = 0.0
        self._salt, self._salt_ends = b"", 0.0
        self._hash = blake2b()  # that has the salt
        self._tells_again = 0.0
        self._agent = lru_cache(MAX_AGENTS)(Agent)
        self._is_failing = False
        self._thread: threading.Thread | None = None
        self._has_tried = threading.Event()
        """Set once the database was asked, whatever it said."""

    def look(self, headers: tuple[str | None, ...], now: float) -> bytes:
        """Return the metadata of a view with these headers, as `request.viewer_of` reads them."""
        if now >= self.wakes:
            self._wake(now)
        key = hash(headers)
        # Taken first: what is made of a salt that is replaced meanwhile goes to those forgotten.
        metas = self.metas
        if (meta := metas.get(key)) is not None:
            return meta
        is_told = False
        if (meta := self._older.get(key)) is None:
            meta, is_told = self._make(headers, now)
        if not is_told:
            if len(metas) >= MAX_REMEMBERED and metas is self.metas:
                self._older, self.metas = metas, {}
            metas[key] = meta
        return meta

    def _wake(self, now: float) -> None:
        """Do what is due. Two threads may: that changes nothing."""
        if now >= self._due:
            self._refresh(now)
        if now < self._waits_until:
            self._has_tried.wait(self._waits_until - now)
        if now >= self._tells_again:
            self._agent.cache_clear()
            self._forget()
            self._tells_again = now + TELL_AGAIN_SECONDS
        known = self._read
        if now >= self._salt_ends or known is not self._chosen:
            self._choose_salt(known, now)
        self.wakes = min(self._due, self._tells_again, self._salt_ends or self._due)
        if known is not self._read:  # it was read meanwhile
            self.wakes = 0.0

    def _forget(self) -> None:
        self._older, self.metas = {}, {}

    def _choose_salt(self, known: Read, now: float) -> None:
        current = [one for one in known.salts if one.begins <= now < one.ends]
        salt, self._salt_ends = (current[0].salt, current[0].ends) if current else (b"", 0.0)
        if salt != self._salt:
            # In this order: no address is hashed without a salt.
            self._hash = blake2b(digest_size=8, key=salt)
            self._salt = salt
            self._forget()
        self._chosen = known

    def _refresh(self, now: float) -> None:
        """Have a thread read what is known again, one at a time: the database may not answer."""
        if is_in_memory():  # without Redis, and without a query in the midst of a test
            self._read, self._due = Read((Salted(now, float("inf"), bytes(32)),)), float("inf")
            return
        if not self._due:
            self._waits_until = now + FIRST_SECONDS
        self._due = now + RETRY_SECONDS
        if self._thread and self._thread.is_alive():
            return
        thread = threading.Thread(target=self._read_again, name="viewers", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the process ends, or may have no more of them
            logger.warning("salts and addresses of monitors are not read: %s", error)
            self._has_tried.set()
            return
        self._thread = thread

    def _read_again(self) -> None:
        try:
            known = read()
        except Exception as error:
            if not self._is_failing:
                logger.warning("salts and addresses of monitors cannot be read: %s", error)
            self._is_failing = True
        else:
            self._is_failing = False
            before, self._read = self._read, known
            self._due = monotonic() + REFRESH_SECONDS
            if known.monitors != before.monitors:
                self._forget()
            self.wakes = 0.0
        finally:
            self._has_tried.set()
            connection.close()  # this thread's own

    def _make(self, headers: tuple[str | None, ...], now: float) -> tuple[bytes, bool]:
        """Return metadata, and whether the string is told with it."""
        address, header, host, forwarded_for, forwarded_host, server_name, *others = headers
        client = packed(address_of(address, forwarded_for))
        how = PLAIN
        if others != NOTHING_ELSE and is_prefetch(others[:4]):
            how = How.PREFETCH
        if self._read.monitors and is_in(client, self._read.monitors):
            how = How.MONITOR
        agent = self._agent(how, (header or "")[:MAX_STRING])
        visitor = b""
        if self._salt and conf.COUNTERS_VISITORS and not refuses(*others[4:]):
            if forwarded_host and settings.USE_X_FORWARDED_HOST:
                host = forwarded_host
            # The site as `HttpRequest.get_host` finds it, but unchecked.
            site = (host or server_name or "")[:MAX_HOST].lower().encode(errors="replace")
            visitor = self._visitor(site, agent.header, prefix(client))
        if not conf.COUNTERS_AGENTS_PER_DAY:
            return encode_meta(Meta(visitor=int.from_bytes(visitor, "big"))), False
        is_told = agent.tells(now)
        if visitor and not is_told:  # nearly always; the same as below, in a tenth of the time
            return VIEWER + visitor + agent.packed, False
        told = agent.told if is_told else b""
        meta = Meta(visitor=int.from_bytes(visitor, "big"), agent=agent.hash, told=told)
        return encode_meta(meta), is_told

    def _visitor(self, site: bytes, header: bytes, client: bytes) -> bytes:
        """Return the 8 bytes of a visitor; never 0.

        client: the prefix of its address, see `addresses.prefix`. header: its user agent.
        """
        hashed = self._hash.copy()
        hashed.update(b"%b\0%b\0%b" % (site, header, client))
        visitor = hashed.digest()
        return NOT_0 if visitor == ZERO else visitor


def refuses(dnt: str | None, sec_gpc: str | None) -> bool:
    """Tell whether the client asks not to be tracked, and the project honours that."""
    return (dnt == "1" or sec_gpc == "1") and conf.COUNTERS_HONOUR_DNT


memory = cached_until_change(Memory)
