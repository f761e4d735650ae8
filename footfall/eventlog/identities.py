"""Which databases keep a log in this Redis, and how far each has stored its own."""

from typing import Any

from footfall.eventlog.cluster import servers
from footfall.eventlog.connections import call

Newest = tuple[int, int]
"""Number and key of the newest segment in a database's event store."""


class Identities:
    """One hash under the bare prefix: by the identity of a database, its newest segment.

    url, prefix, timeout: as for `RedisLog`. Every method raises LogError.
    """

    def __init__(self, url: str, prefix: str, timeout: float) -> None:
        self.key = f"{prefix}:identities"
        self._servers = servers(url, timeout)

    def names(self) -> list[str]:
        """Return the identities that were noted; "" is that of a database without one."""
        return sorted(name.decode(errors="replace") for name in self._call("HKEYS"))

    def add(self, name: str) -> None:
        self._call("HSETNX", name, "")

    def newest(self, name: str) -> Newest | None:
        """Return what was noted last; None if nothing was, or nothing that makes sense."""
        number, _, key = (self._call("HGET", name) or b"").partition(b" ")
        return (int(number), int(key)) if number.isdigit() and key.isdigit() else None

    def note(self, name: str, newest: Newest) -> None:
        self._call("HSET", name, "{} {}".format(*newest))

    def close(self) -> None:
        self._servers.close()

    def _call(self, command: str, *arguments: Any) -> Any:
        return self._servers.ask(self.key, lambda at: call(at.pool, command, self.key, *arguments))


class NoIdentities(Identities):
    """Beside a log in memory: no other database uses it."""

    def __init__(self) -> None:
        """It has no server."""

    def names(self) -> list[str]:
        return []

    def add(self, name: str) -> None:
        """There is nowhere to note it."""

    def newest(self, name: str) -> Newest | None:
        return None

    def note(self, name: str, newest: Newest) -> None:
        """There is nowhere to note it."""

    def close(self) -> None:
        """It has no server."""
