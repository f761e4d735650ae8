"""The tutorial for projects, step by step, from an empty folder.

The commands run one after another in one process, with the wheel on its path; `curl` is Django's
client, and what counts in another terminal is a flush before each of its reads.
"""

import json
import os
import re
import zipfile
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from tests.support.shell_sessions import steps
from tests.wheel.forked import Python

TEXT = (settings.BASE_DIR / "docs/adopt/tutorial.md").read_text()
ELSEWHERE = ("redis-server", "python3 -m venv", "pip install")
"""What is done by other means."""
TERMINALS = ("python manage.py runserver", "python manage.py counters run")

DRIVER = """
import contextlib, io, json, os, shlex, sys

os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.test import Client

settings.COUNTERS_LOG_PREFIX = "tutorial"


def run(command):
    words = shlex.split(command.removeprefix("sleep 2; "))
    if words[:2] == ["python", "manage.py"]:
        execute_from_command_line(words[1:])
    else:
        assert words[0] == "curl"
        agent = words[words.index("-A") + 1] if "-A" in words else "curl/8"
        path = words[-1].removeprefix("http://localhost:8000")
        client = Client(headers={"user-agent": agent}, SERVER_NAME="localhost")
        sys.stdout.write(client.get(path).content.decode())
        with contextlib.redirect_stdout(io.StringIO()):
            execute_from_command_line(["manage.py", "counters", "flush"])


answers = []
for command in json.load(sys.stdin):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        with contextlib.suppress(SystemExit):
            run(command)
    answers.append(said.getvalue())
print(json.dumps(answers))
"""


def files() -> dict[str, str]:
    """Return what the page puts into files: those of code, whose first line is the path."""
    blocks = re.findall(r"```(?:python|html)\n(?:#|\{#) (.*?)(?: #\})?\n(.*?)```", TEXT, re.DOTALL)
    return dict(blocks)


@pytest.fixture
def site(wheel: Path, tmp_path: Path) -> Path:
    """The project, with everything in its files that the page puts there."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    call_command("startproject", "mysite", str(tmp_path))
    (tmp_path / "news").mkdir()
    call_command("startapp", "news", str(tmp_path / "news"))
    for name, text in files().items():
        path, _, end = name.partition(", ")
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text((file.read_text() if end else "") + text)
    return tmp_path


@pytest.mark.long
def test_the_tutorial_shows_what_is_answered(site: Path, python: Python) -> None:
    redis = "redis://localhost:6379/0"
    named = site / "mysite" / "settings.py"
    assert redis in named.read_text()
    named.write_text(named.read_text().replace(redis, os.environ["REDIS_URL"]))
    walk = [one for one in steps(TEXT) if not one.command.startswith(ELSEWHERE)]
    walk = [one for one in walk if one.command not in TERMINALS and "start" not in one.command]

    done = python.run(
        "-c",
        DRIVER,
        cwd=site,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join((".", "site"))},
        text=json.dumps([one.command for one in walk]),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    assert len(walk) == len(answers) > 8
    for step, answer in zip(walk, answers, strict=True):
        assert lines(answer)[: len(step.answer)] == lines("\n".join(step.answer)), step.command
    assert answers[-1].endswith("OK\n")
    assert answers[-3].strip() == "First: 2 views, 1 of them by people this week"


def lines(text: str) -> list[str]:
    """Return the lines that are not empty, with any number as 0."""
    return [re.sub(r"\d+", "0", line).rstrip() for line in text.splitlines() if line.strip()]
