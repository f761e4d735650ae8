"""A project in a directory of its own: installed, with the lines that count, and its own tests."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.wheel.foreign.adopter import Adopter
from tests.wheel.matrix import UV, find_python

SMALL = Path(__file__).parent / "small"
SEED = """
import json
import django

django.setup()
headers = {{}}
{seed}
print("FOREIGN", json.dumps({{"paths": paths, "headers": headers}}))
"""
COUNTERS = """
import json
import django

django.setup()
from django.apps import apps
from footfall.registry import counter_of

model = apps.get_model({label!r})
own = {own!r}
print("FOREIGN", json.dumps({{
    str(one.pk): [counter_of(one), getattr(one, own) if own else None]
    for one in model._base_manager.all()
}}))
"""
WITHOUT = ("DJANGO_", "DATABASE_URL", "REDIS_URL", "PYTEST_", "FOOTFALL_", "VIRTUAL_ENV")


class Failed(Exception):
    """A command of the project has failed."""


@dataclass
class Installed:
    """A project, its Python, and where its stores are."""

    adopter: Adopter
    directory: Path
    venv: Path
    stores: Mapping[str, str]
    """Variables of the environment: REDIS_URL, and those of the databases."""

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def database(self) -> str:
        return f"foreign_{self.adopter.kind}"

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(WITHOUT)}
        own = {
            name: value.format(database=self.database, mysql=self.stores.get("MYSQL_SOCKET"))
            for name, value in self.adopter.environment.items()
        }
        path = {"PATH": f"{self.venv / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        found = {**kept, **path, **self.stores, **own, **(more or {})}
        return {name: value for name, value in found.items() if value}

    def command(self, text: str, **values: object) -> list[str]:
        return shlex.split(text.format(python=self.python, **values))

    def run(
        self, command: list[str], folder: str = "", more: Mapping[str, str] | None = None
    ) -> str:
        """Return what it has written, to both. Raises Failed."""
        done = subprocess.run(
            command, cwd=self.directory / folder, env=self.environment(more), text=True,
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1800,
        )  # fmt: skip
        if done.returncode:
            raise Failed(f"{shlex.join(command)}:\n{done.stdout[-3000:]}")
        return done.stdout

    def manage(self, *arguments: str) -> str:
        return self.run([str(self.python), "manage.py", *arguments], self.adopter.folder)

    def ask(self, code: str) -> Any:
        """Run code in the project; return what it prints after FOREIGN."""
        settings = self._settings_module()
        said = self.run(
            [str(self.python), "-c", code, "asked"],  # settings may look at sys.argv[1]
            self.adopter.folder,
            {"DJANGO_SETTINGS_MODULE": settings},
        )
        (line,) = (line for line in said.splitlines() if line.startswith("FOREIGN "))
        return json.loads(line.removeprefix("FOREIGN "))

    def _settings_module(self) -> str:
        text = (self.directory / self.adopter.folder / "manage.py").read_text()
        found = re.search(r'DJANGO_SETTINGS_MODULE["\'],\s*["\']([\w.]+)', text)
        if not found:
            raise Failed("its manage.py names no settings")
        return found[1]

    def install(self, wheel: Path, siblings: Mapping[str, Path]) -> None:
        """Install its own pins and the wheel, in one resolution."""
        python = find_python(self.adopter.python)
        self._uv("venv", "--quiet", "--python", python, str(self.venv))
        overrides = self.directory / "footfall-overrides.txt"
        overrides.write_text("".join(override(name, path) for name, path in siblings.items()))
        self._uv(
            *("pip", "install", "--quiet", "--python", str(self.python)),
            *("--overrides", str(overrides), *self.adopter.packages, str(wheel)),
        )
        self._uv("pip", "check", "--quiet", "--python", str(self.python))

    def _uv(self, *arguments: str) -> None:
        self.run([str(UV), *arguments])

    def versions(self, *names: str) -> list[str]:
        code = (
            "from importlib.metadata import version, PackageNotFoundError\n"
            f"for name in {names!r}:\n"
            "    try: print(version(name))\n"
            "    except PackageNotFoundError: print('-')"
        )
        return self.run([str(self.python), "-c", code]).split()

    def test(self) -> int:
        """Run its own tests; return how many. Raises Failed."""
        said = self.run(self.command(self.adopter.tests), more=self.adopter.testing)
        ran = sum(map(int, re.findall(r"^Ran (\d+) tests?", said, re.MULTILINE)))
        if not ran:
            raise Failed(f"{self.adopter.tests} ran no tests:\n{said[-2000:]}")
        return ran

    def migrate(self) -> None:
        if self.adopter.migrations:
            self.manage("makemigrations", self.adopter.migrations)
        self.manage("migrate", "--verbosity", "0")
        self.manage("check")
        for command in self.adopter.prepare:
            self.run(self.command(command), self.adopter.folder)

    def seeded(self) -> tuple[dict[str, str], dict[str, str]]:
        """Make what is read: return the path of each object, and the headers of a reader."""
        made = self.ask(SEED.format(seed=self.adopter.seed))
        return made["paths"], made["headers"]

    def counters(self) -> dict[str, list[int | None]]:
        """Return, by key, what we have counted, and what the project's own field has."""
        code = COUNTERS.format(label=self.adopter.label, own=self.adopter.own_count)
        return self.ask(code)  # type: ignore[no-any-return]


def override(name: str, path: Path) -> str:
    """Return the line that takes a package, and its extras, from a directory."""
    package = name.rpartition("/")[2]
    extras = "[celery,qa,rest]" if package == "openwisp-utils" else ""
    return f"{package}{extras} @ {path.as_uri()}\n"


def check_out(repository: str, commit: str, source: str, directory: Path) -> None:
    """Clone a repository from a directory of clones, or from the address before its owner."""
    owner, _, name = repository.partition("/")
    where = Path(source) / name
    found = str(where) if where.exists() else f"{source.rstrip('/')}/{owner}/{name}"
    git("clone", "--quiet", found, str(directory))
    git("-C", str(directory), "checkout", "--quiet", commit)


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)  # noqa: S607


def copy_small(name: str, directory: Path) -> None:
    """Copy a project of this folder: there its files have another suffix, as in `matrix`."""
    shutil.copytree(SMALL / name, directory)
    for path in directory.rglob("*.py-"):
        path.rename(path.with_suffix(".py"))


def write_files(adopter: Adopter, directory: Path) -> None:
    for name, text in adopter.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip())
