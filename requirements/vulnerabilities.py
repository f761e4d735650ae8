"""Looks for known vulnerabilities in what requirements/ pins; installs nothing.

    .venv/bin/python requirements/vulnerabilities.py [OPTION OF pip-audit...]

Exit codes: 0 none is known; 1 some are, and are listed; 3 it could not look, so nothing is known.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NONE, SOME, NOT_LOOKED = 0, 1, 3


def main(options: list[str]) -> int:
    # The peers' may pin another version of a package; pip-audit refuses two in one run.
    ours, peers = ROOT.glob("requirements/*.txt"), ROOT / "loadtest/peers/requirements.txt"
    found: list[dict[str, Any]] = []
    for files in (sorted(ours), [peers]):
        packages, said = audit(files, options)
        skipped = [
            f"{one['name']}: {one['skip_reason']}" for one in packages if "skip_reason" in one
        ]
        if skipped or not packages:
            say("Not looked: the service that knows of vulnerabilities gave no answer.")
            say(*skipped, *said.strip().splitlines()[-3:])
            say("Whether there are known vulnerabilities is not known.")
            return NOT_LOOKED
        found += packages
    lines = sorted({line for package in found for line in lines_of(package)})
    names = {(package["name"], package["version"]) for package in found}
    say(*lines, f"{len(lines)} known vulnerabilities in {len(names)} packages.")
    return SOME if lines else NONE


def audit(files: list[Path], options: list[str]) -> tuple[list[dict[str, Any]], str]:
    """Return the packages that the files pin, as pip-audit reports them, and what it said.

    It ends with 1 for what it has found as for what has failed; it reports what it has looked at.
    """
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip"),
                *("--vulnerability-service", "osv", "--progress-spinner", "off"),
                *("--cache-dir", directory, "--format", "json", "--output", str(report)),
                *(word for file in files for word in ("--requirement", str(file))),
                *options,
            ],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if not report.exists():
            return [], done.stdout
        return json.loads(report.read_text())["dependencies"], done.stdout


def lines_of(package: dict[str, Any]) -> list[str]:
    """Return a line for each vulnerability of a package: what, known as what, mended in what."""
    return [
        f"{package['name']} {package['version']}: {one['id']}, "
        f"mended in {', '.join(one['fix_versions']) or 'no version yet'}"
        for one in package["vulns"]
    ]


def say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
