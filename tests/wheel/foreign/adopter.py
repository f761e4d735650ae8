"""What is said of a project that takes the wheel: where it is from, and the lines that count."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

MOST_LINES = 10


class Edit(NamedTuple):
    """Lines that are put into a file of the project."""

    file: str
    lines: tuple[str, ...]
    after: str = ""
    """The line below which they go; "": at the end of the file."""
    instead: bool = False
    """Whether they replace that line."""


@dataclass(frozen=True)
class Adopter:
    """A project, and what its developer does to count `label`.

    Commands are what its own README or CI file has, with {python} for the one that is installed,
    {port} for a port, and {processes} for that of workers.
    """

    name: str
    kind: str
    packages: tuple[str, ...]
    """Arguments of `pip install`: its own pins, and the server."""
    patch: tuple[Edit, ...]
    label: str
    seed: str
    """Code that makes what is read, and sets `paths`: the key of each object, and its path."""
    tests: str
    serve: str
    commit: str = ""
    """Of the repository; "" for a project of this folder."""
    repository: str = ""
    python: str = "3.12"
    database: str = "postgres"
    folder: str = "."
    """Where its manage.py is."""
    migrations: str = ""
    """The app whose migration is made."""
    own_migrations: tuple[str, ...] = ()
    """Apps whose first migrations are made before the lines are put in."""
    prepare: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    testing: Mapping[str, str] = field(default_factory=dict)
    """What is different while its own tests run."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What its README wants beside the code: the address of a database, for example."""
    siblings: Mapping[str, str] = field(default_factory=dict)
    """Repositories of which its pins take packages, and the commit of each."""
    own_count: str = ""
    """A field in which the project counts views itself."""

    @property
    def lines(self) -> int:
        """How many lines are added, without empty ones."""
        return sum(bool(line.strip()) for edit in self.patch for line in edit.lines)

    def apply(self, directory: Path) -> None:
        """Put the lines in. Raises ValueError if a file is not the one that was expected."""
        if self.lines > MOST_LINES:
            raise ValueError(f"{self.name} needs {self.lines} lines")
        for edit in self.patch:
            apply(edit, directory / edit.file)


def apply(edit: Edit, path: Path) -> None:
    text = path.read_text()
    added = "".join(f"{line}\n" for line in edit.lines)
    if not edit.after:
        path.write_text(f"{text.rstrip()}\n{added}")
        return
    line = f"{edit.after}\n"
    if text.count(line) != 1:
        raise ValueError(f"{path} has {text.count(line)} lines {edit.after!r}")
    path.write_text(text.replace(line, added if edit.instead else line + added))
