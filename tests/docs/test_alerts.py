"""Each alert is tried, by promtool where it is installed, and has an entry that says what to do."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from footfall.ops import metrics as counting
from project import metrics as stores
from uploads import metrics as files

ROOT = Path(__file__).parents[2]
RULES = ROOT / "compose/monitoring/alerts.yml"
TRIED = RULES.with_name("alerts_test.yml")
PROMTOOL = shutil.which("promtool")
DECLARED = {*counting.GAUGES, *counting.COUNTERS, *files.GAUGES, *stores.GAUGES}


def rules() -> dict[str, str]:
    """Return the condition of each alert."""
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule["expr"] for rule in group["rules"]}


def test_an_alert_asks_for_metrics_that_are_there() -> None:
    named = {one for expr in rules().values() for one in re.findall(r"footfall_\w+", expr)}

    assert named <= DECLARED


def test_each_alert_has_been_made_to_fire() -> None:
    tests: list[dict[str, Any]] = yaml.safe_load(TRIED.read_text())["tests"]
    fired = {
        one["alertname"]
        for test in tests
        for one in test["alert_rule_test"]
        if one.get("exp_alerts")
    }

    assert fired == rules().keys()


@pytest.mark.parametrize("page", ["docs/how-to/alerts.md", "docs/reference/metrics.md"])
def test_each_alert_has_an_entry(page: str) -> None:
    cells = re.findall(r"^\| ([A-Z]\w+(?:, [A-Z]\w+)*) \|", (ROOT / page).read_text(), re.M)

    assert {name for cell in cells for name in cell.split(", ")} == rules().keys()


@pytest.mark.skipif(not PROMTOOL, reason="of Debian's package prometheus")
def test_promtool_finds_each_alert_right() -> None:
    command = [str(PROMTOOL), "test", "rules", str(TRIED)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
