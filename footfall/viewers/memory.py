"""What a process knows for telling viewers apart: salts, and the addresses of monitors.

A thread reads it from the database every minute, so no request waits for that: only the first
view of a process does, for a second at most. While the database is away, views go on with what is
known; without a salt their visitor is 0.
"""

import logging
import threading
import time
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from django.db import connection

from footfall.conf import cached_until_change, conf
from footfall.events import Meta, encode_meta
from footfall.identity import database_now
from footfall.models import AgentRule, How
from footfall.viewers.addresses import Network, is_in, networks, packed, prefix
from footfall.viewers.agents import Told, clean, hash_of
from footfall.viewers.salts import DAY, make_salts

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 60.0
RETRY_SECONDS = 5.0
"""Between two tries to read the database."""
FIRST_SECONDS = 1.0
"""For so long the first view waits for the salts."""
TELL_SECONDS, TELL_AGAIN_SECONDS = 5.0, 3600.0
"""For so long a process tells the string of a new agent, and after so long again: what it has told
may be lost, or stored later than the next event."""
MAX_VIEWERS, MAX_AGENTS = 8_192, 4_096
"""Most that a process remembers: some 8 MB."""


class Salted(NamedTuple):
    """A salt, and from when on it is used: by `time.monotonic()`."""

    begins: float
    salt: bytes


class Read(NamedTuple):
    """What was read."""

    salts: tuple[Salted, ...] = ()
    """Of this window and the next."""
    ends: float = 0.0
    """When the last of them is no longer used."""
    monitors: tuple[Network, ...] = ()


def read() -> Read:
    """Read the salts and the operators' address ranges. Raises DatabaseError."""
    began = time.monotonic()
    now = database_now()
    found = make_salts(now) if conf.COUNTERS_VISITORS else []
    salts = [Salted(began + (begins - now).total_seconds(), salt) for begins, salt in found]
    ends = salts[-1].begins + conf.COUNTERS_VISITOR_DAYS * DAY.total_seconds() if salts else 0.0
    rules = AgentRule.objects.filter(match=AgentRule.Match.ADDRESSES)
    monitors = networks(rules.order_by("pk").values_list("value", flat=True))
    return Read(tuple(salts), ends, monitors)


class Agent:
    """An agent, and until when its events tell what it is."""

    __slots__ = ("again", "hash", "told", "until")

    def __init__(self, how: How, header: str) -> None:
        self.told = Told(how, clean(header)).encode()
        self.hash = hash_of(self.told)
        self.until = self.again = 0.0

    def tells(self, now: float) -> bool:
        if now >= self.again:
            self.until, self.again = now + TELL_SECONDS, now + TELL_AGAIN_SECONDS
        return now < self.until


class Viewer(NamedTuple):
    """A visitor with an agent: what its events have as metadata."""

    meta: bytes
    visitor: int
    agent: Agent


class Memory:
    """What is known, and the viewers that were seen last. Safe for threads."""

    def __init__(self) -> None:
        self.due = 0.0
        """When it is to be read again, by `time.monotonic()`."""
        self._read = Read()
        self._is_failing = False
        self.viewer = lru_cache(MAX_VIEWERS)(self._viewer)
        self.agent = lru_cache(MAX_AGENTS)(Agent)

    def salt(self, now: float) -> bytes:
        """Return the salt of now; b"" if it is not known."""
        known = self._read
        if now < known.ends:
            for begins, salt in reversed(known.salts):
                if now >= begins:
                    return salt
        return b""

    def refresh(self, now: float) -> None:
        """Have a thread read it again."""
        is_first = not self.due
        self.due = now + RETRY_SECONDS
        thread = threading.Thread(target=self._refresh, name="viewers", daemon=True)
        thread.start()
        if is_first:
            thread.join(FIRST_SECONDS)

    def _refresh(self) -> None:
        try:
            known = read()
        except Exception as error:
            if not self._is_failing:
                logger.warning("salts and addresses of monitors cannot be read: %s", error)
            self._is_failing = True
            return
        finally:
            connection.close()  # this thread's own
        self._is_failing = False
        before, self._read = self._read, known
        if known.monitors != before.monitors:
            self.viewer.cache_clear()
        self.due = time.monotonic() + REFRESH_SECONDS

    def _viewer(
        self, address: str, header: str, host: str, is_prefetch: bool, salt: bytes
    ) -> Viewer:
        """Return who views. salt: b"" if it is not to be told who."""
        client = packed(address)
        how = How.PREFETCH if is_prefetch else How.PLAIN
        if self._read.monitors and is_in(client, self._read.monitors):
            how = How.MONITOR
        agent = self.agent(how, header)
        visitor = visitor_of(prefix(client), header, host, salt) if salt else 0
        return Viewer(encode_meta(Meta(visitor=visitor, agent=agent.hash)), visitor, agent)


def visitor_of(client: bytes, header: str, host: str, salt: bytes) -> int:
    """Return the 64 bits of a visitor; never 0.

    client: the prefix of its address, see `addresses.prefix`. header: its user agent.
    """
    text = b"\0".join((host.encode(errors="replace"), header.encode(errors="replace"), client))
    return int.from_bytes(blake2b(text, digest_size=8, key=salt).digest(), "big") or 1


memory = cached_until_change(Memory)
