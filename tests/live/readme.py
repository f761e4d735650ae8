"""The shell sessions of the README: what was typed, and what was answered."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field

MARK = "-- the next command --"


@dataclass
class Step:
    command: str
    answer: list[str] = field(default_factory=list)
    """Lines."""


def steps(text: str, heading: str) -> list[Step]:
    """Return what stands below a heading, indented, up to the next heading; `$ ` begins a command.

    A command goes on in the lines that are indented below it by two more.
    """
    _, _, section = text.partition(f"\n{heading}\n")
    found: list[Step] = []
    for line in section.partition("\n## ")[0].splitlines():
        if line.startswith("    $ "):
            found.append(Step(line.removeprefix("    $ ")))
        elif line.startswith("      ") and found and not found[-1].answer:
            found[-1].command += "\n" + line.strip()
        elif line.startswith("    ") and found:
            found[-1].answer.append(line.strip())
    return found


def run(commands: list[str], **variables: str) -> list[list[str]]:
    """Run the commands in one shell; return the lines that each has printed."""
    script = f"\necho '{MARK}'\n".join(commands)
    shell = shutil.which("sh")
    assert shell
    done = subprocess.run(
        [shell, "-eu"],
        input=script,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [part.strip().splitlines() for part in done.stdout.split(MARK)]
