"""The base class of the two stores."""

import abc
import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path

from standalone.program import Program, StoreError


class Store(abc.ABC):
    """A server and its directory."""

    name: str
    SETTINGS: Mapping[str, str] = {}

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        """Serve `directory`; `settings` are further ones of the server, by name."""
        self.directory = directory
        self.settings = {**self.SETTINGS, **(settings or {})}
        self.sockets = directory  # or another one, if its path is too long for a socket

    @abc.abstractmethod
    def prepare(self) -> None:
        """Make the directory ready for `program`, if it is not. Raises `StoreError`."""

    @abc.abstractmethod
    def program(self) -> Program:
        """Return the program that serves `directory` in the foreground."""

    @property
    @abc.abstractmethod
    def url(self) -> str:
        """The address for clients; known after `prepare`."""

    @abc.abstractmethod
    def ready(self) -> bool:
        """Return whether the server answers now."""

    def clean_up(self) -> None:
        """Remove the directory of the sockets, if it is another one."""
        if self.sockets != self.directory:
            shutil.rmtree(self.sockets, ignore_errors=True)


def package_directory(package: str) -> Path:
    """Return the folder of an installed package. To import it would have side effects."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise StoreError(
            f"The package {package} is not installed: install requirements/dev.txt, "
            "or set DATABASE_URL and REDIS_URL."
        )
    return Path(spec.origin).parent
