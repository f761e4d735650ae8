"""The shell sessions of the README and the docs: what was typed, and what was answered."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field

from standalone.configuration import ROOT

MARK = "-- the next command --"


@dataclass
class Step:
    command: str
    answer: list[str] = field(default_factory=list)
    """Lines."""


def steps(text: str) -> list[Step]:
    """Return the commands of a page, in their order: what is indented and begins with `$ `.

    A command goes on in the lines that are indented below it by two more. Its answer ends with the
    indented block.
    """
    found: list[Step] = []
    is_answer = False
    for line in text.splitlines():
        if line.startswith("    $ "):
            found.append(Step(line.removeprefix("    $ ")))
            is_answer = True
        elif not line.startswith("    "):
            is_answer = False
        elif line.startswith("      ") and is_answer and not found[-1].answer:
            found[-1].command += "\n" + line.strip()
        elif is_answer:
            found[-1].answer.append(line.removeprefix("    "))
    return found


def run(commands: list[str], **variables: str) -> list[list[str]]:
    """Run the commands in one shell; return the lines that each has printed."""
    script = f"\necho '{MARK}'\n".join(commands)
    shell = shutil.which("sh")
    assert shell
    done = subprocess.run(
        [shell, "-eu"],
        input=script,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [part.strip("\n").splitlines() for part in done.stdout.split(MARK)]
