"""`footfall` imports no other app, and only `footfall.sql` updates counters."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_counters_names_no_other_app() -> None:
    for path in (ROOT / "footfall").rglob("*.py"):
        text = path.read_text()
        assert not re.search(r"^\s*(from|import) (catalog|accounts|uploads|project)\b", text, re.M)


def test_one_place_holds_the_update() -> None:
    sources = [*(ROOT / "footfall").rglob("*.py"), *(ROOT / "catalog").rglob("*.py")]
    update = re.compile(r"SET (target\.)?\{counter\} = ")
    found = {path.parent.name for path in sources if update.search(path.read_text())}

    assert found == {"sql"}
