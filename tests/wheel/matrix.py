"""`make matrix`: the wheel in another project, with the oldest and the newest of what it allows.

Each combination is a new virtual environment with the built wheel and what it names, and no more.
In it a small project is migrated and checked, runs its own tests, is viewed, counted and audited:
see `PROJECT`. PostgreSQL and Redis are those of the tests. A Python that this machine does not have
is left out, and named at the end.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from loadtest.common.stores import Postgres, Redis

ROOT = Path(__file__).resolve().parents[2]
PROJECT = Path(__file__).parent / "project"
UV = Path(sys.executable).with_name("uv")


class Combination(NamedTuple):
    """What is installed beside the wheel."""

    python: str
    django: str
    others: tuple[str, ...] = ()
    database: str = "sqlite"

    def __str__(self) -> str:
        wanted = (f"Python {self.python}", f"Django {self.django}", *self.others, self.database)
        return ", ".join(wanted)


OLD_CELERY = "celery==5.4.0"
COMBINATIONS = (
    Combination("3.11", "5.2", ("redis==5.0.0", OLD_CELERY)),
    Combination("3.11", "5.2", ("redis", "psycopg2-binary"), "postgres"),
    Combination("3.12", "5.2", ("redis==5.0.0", "psycopg[binary]==3.1.18"), "postgres"),
    Combination(
        "3.12", "6.0", ("redis==5.3.1", "celery", "hiredis", "psycopg2-binary"), "postgres"
    ),
    Combination("3.13", "6.0", ("redis==6.4.0", OLD_CELERY, "psycopg[binary]"), "postgres"),
    Combination("3.13", "6.1", ("redis", "psycopg[binary]"), "postgres"),
    Combination("3.13", "6.1", ("redis", "celery", "hiredis", "prometheus-client")),
    Combination("3.14", "6.1", ("redis", "celery", "psycopg[binary]"), "postgres"),
)


class Missing(Exception):
    """This machine does not have the Python."""


def find_python(version: str) -> str:
    """Return the path of a Python that is installed here. Raises Missing."""
    found = subprocess.run(
        [UV, "python", "find", "--no-project", "--no-python-downloads", "--system", version],
        capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    if not found.returncode:
        return found.stdout.strip()
    for path in sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python")):
        return str(path)
    raise Missing(f"no Python {version}")


def build(directory: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*command, "--directory", directory], cwd=ROOT / "wheel", check=True)
    (wheel,) = directory.glob("*.whl")
    return wheel


def install(combination: Combination, wheel: Path, directory: Path) -> Path:
    """Return the Python of a new virtual environment. Raises Missing."""
    python = find_python(combination.python)
    subprocess.run([UV, "venv", "--quiet", "--python", python, directory], check=True)
    wanted = (str(wheel), f"Django=={combination.django}.*", *combination.others)
    installed = directory / "bin" / "python"
    command = [str(UV), "pip", "install", "--quiet", "--python", str(installed), *wanted]
    subprocess.run(command, check=True)
    return installed


@contextmanager
def stores(directory: Path) -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        redis = Redis(directory / "redis")
        stack.enter_context(redis.served())
        postgres = Postgres(directory / "postgres")
        stack.enter_context(postgres.served())
        yield {"REDIS_URL": redis.url, "POSTGRES_URL": postgres.url}


def run(python: Path, database: str, urls: dict[str, str], directory: Path) -> None:
    """Run the project in a directory of its own. Raises CalledProcessError."""
    shutil.copytree(PROJECT, directory)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(directory),
        "PYTHONWARNINGS": "error::DeprecationWarning:footfall",
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "SHOP_DATABASE": database,
        **urls,
    }
    # The project's files have another suffix here, so that no tool takes them for this project's.
    for path in directory.rglob("*.py-"):
        path.rename(path.with_suffix(".py"))
    subprocess.run([python, "exercise.py"], cwd=directory, env=environment, check=True, timeout=300)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="combinations whose text has this in it")
    parser.add_argument("--all", action="store_true", help="a missing Python is a failure")
    options = parser.parse_args()
    only = options.only
    failed, left_out = [], []
    with tempfile.TemporaryDirectory(prefix="footfall-matrix-") as name, ExitStack() as stack:
        directory = Path(name)
        wheel = build(directory / "dist")
        urls = stack.enter_context(stores(directory))
        for number, combination in enumerate(COMBINATIONS):
            if only not in str(combination):
                continue
            try:
                python = install(combination, wheel, directory / f"venv-{number}")
                run(python, combination.database, urls, directory / f"project-{number}")
            except Missing as missing:
                left_out.append(f"{combination}: {missing}")
                continue
            except subprocess.SubprocessError as error:
                failed.append(f"{combination}: {error}")
            else:
                sys.stdout.write(f"ok: {combination}\n")
                sys.stdout.flush()
            shutil.rmtree(directory / f"venv-{number}", ignore_errors=True)
    for line in left_out:
        sys.stdout.write(f"left out: {line}\n")
    for line in failed:
        sys.stdout.write(f"FAILED: {line}\n")
    return 1 if failed or (options.all and left_out) else 0


if __name__ == "__main__":
    sys.exit(main())
