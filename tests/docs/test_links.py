"""Every link and every file that the README and the docs name is there, anchors included."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

ROOT: Path = settings.BASE_DIR
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "loadtest" / "README.md",
    ROOT / "wheel" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
ARCHITECTURE = ROOT / "docs" / "explanation" / "architecture.md"
ROOMS = (ROOT, *(ROOT / name for name in ("footfall", "uploads", "loadtest", "tests")))
"""Files are named from the root, or from the room that a page is about."""
CODE = ("accounts", "api", "catalog", "footfall", "loadtest", "project", "uploads", "tests")
FILE = r"`([\w./-]+/[\w.-]+\.(?:py|md|yml|toml|conf|po))(?:::\w+)?`"
names = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"(?ms)^ *```.*?^ *```|^    .*?$", "", page.read_text())


def anchors(page: Path) -> Iterator[str]:
    """Yield the names that GitHub gives to the headings of a page."""
    for heading in re.findall(r"(?m)^#+ (.+)$", prose(page)):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@names
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@names
def test_every_file_that_is_named_is_there(page: Path) -> None:
    for name in re.findall(FILE, prose(page)):
        assert any((room / name).exists() for room in (*ROOMS, page.parent)), name


def test_code_names_pages_that_are_there() -> None:
    for room in CODE:
        for path in (ROOT / room).rglob("*.py"):
            for page in re.findall(r"\bdocs/[a-z/-]+\.md\b", path.read_text()):
                assert (ROOT / page).exists(), (path, page)


def test_the_house_has_its_floors_in_the_order_that_lint_holds() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    contracts = tools["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one.get("containers") == ["footfall"])
    floors = {room: n for n, layer in enumerate(layers) for room in layer.split(" | ")}

    inside = ARCHITECTURE.read_text().partition("    footfall/ ")[2].partition("    standalone/")[0]
    shown = re.findall(r"(?m)^      (\w+)(?:/|\.py) ", inside)

    assert len(shown) > 20
    assert shown == sorted(shown, key=floors.__getitem__)


def test_the_files_on_the_way_of_a_view_are_there() -> None:
    way = ARCHITECTURE.read_text().partition("## The way of one view")[2].partition("\n## ")[0]
    files = re.findall(r"(?m)^ +((?:[a-z]\w*/)+\w+\.py)\b", way)
    files += [f"footfall/{one}" for one in re.findall(r"(?m)^ +\w+ +([a-z]+/[a-z_]+)\b", way)]

    assert len(files) > 20
    assert [one for one in files if not any(ROOT.glob(f"{one}*"))] == []
