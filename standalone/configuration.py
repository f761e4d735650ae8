"""The configuration of a run from HOST, PORT and DATA_DIR, and checks that they can be used."""

import contextlib
import fcntl
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from standalone import room

MEDIA = "media"  # the default of MEDIA_ROOT in project/settings.py
ROOT = Path(__file__).resolve().parent.parent


class ConfigurationError(Exception):
    """The service cannot start. The text names the variable to change."""


@dataclass(frozen=True)
class Configuration:
    """Where a copy of the service listens, and where it keeps its data."""

    host: str = "127.0.0.1"
    port: int = 8000
    data_dir: Path = ROOT / ".data"

    @property
    def address(self) -> str:
        """The service's URL on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104
        return f"http://{host}:{self.port}"


def read(environment: Mapping[str, str]) -> Configuration:
    """Return the configuration in `environment`. Raises `ConfigurationError` if it is invalid."""
    default = Configuration()
    port = environment.get("PORT") or str(default.port)
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise ConfigurationError(f"PORT is {port!r}; it must be a number from 1 to 65535.")
    return Configuration(
        host=environment.get("HOST") or default.host,
        port=int(port),
        data_dir=Path(environment.get("DATA_DIR") or default.data_dir).resolve(),
    )


def check_port(configuration: Configuration) -> None:
    """Raise `ConfigurationError` unless the web server can listen on that host and port."""
    host, port = configuration.host, configuration.port
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise ConfigurationError(f"HOST {host!r} is no address of this machine: {error}") from error
    with socket.socket(family, kind) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(address)
        except OSError as error:
            raise ConfigurationError(
                f"PORT {port} cannot be used on {host} ({error.strerror}). "
                f"Choose another: PORT={port + 1 if port < 65535 else 8000} make run"
            ) from error


@contextlib.contextmanager
def hold_port(configuration: Configuration) -> Iterator[None]:
    """Check the port, and keep it from another copy until the web server listens, and after.

    The sockets of granian's workers share a port (`SO_REUSEPORT`), so those of two copies would,
    too. Raises `ConfigurationError`.
    """
    check_port(configuration)
    found = socket.getaddrinfo(configuration.host, configuration.port, type=socket.SOCK_STREAM)
    family, kind, _, _, address = found[0]
    with socket.socket(family, kind) as held:
        if sys.platform == "linux":
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            with contextlib.suppress(OSError):  # it was another server's until just now
                held.bind(address)  # it does not listen, and so gets no connection
        yield


@contextlib.contextmanager
def lock_data_dir(data_dir: Path) -> Iterator[None]:
    """Lock `data_dir` for this process.

    Raises `ConfigurationError` if another one has the lock, and OSError if the disk is full.
    """
    try:
        if not data_dir.exists():
            # PostgreSQL's user has to pass through a directory of root; its contents are private.
            data_dir.parent.mkdir(parents=True, exist_ok=True)
            data_dir.mkdir(mode=0o700 if os.geteuid() else 0o711)
        lock = os.fdopen(os.open(data_dir / "lock", os.O_RDWR | os.O_APPEND | os.O_CREAT), "a+")
        for path in (data_dir / "lock", data_dir / MEDIA):
            if path.exists():  # earlier versions left it open to other users
                path.chmod(0o700 if path.is_dir() else 0o600)
    except OSError as error:
        if room.says_full(error):
            raise
        raise ConfigurationError(f"DATA_DIR {data_dir} cannot be used: {error}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise ConfigurationError(
                f"DATA_DIR {data_dir} is in use by process {lock.read().strip()}. "
                "Stop that one, or choose another DATA_DIR (and PORT)."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
