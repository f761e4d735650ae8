"""No step of the way of a view or of a file without a place to die, and none that is not tested."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.failpoints import ALL, STEPS

LOOK_UPS = {
    "get_log",
    "get_queue",
    "countable_models",
    "policy_of",
}  # no steps: they change nothing
ROOMS = ("footfall", "accounts", "uploads", "catalog", "project")


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield the calls of plain names below `tree`, in the order in which they are written."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in sorted(found, key=lambda call: (call.lineno, call.col_offset)):
        if isinstance(call.func, ast.Name):
            yield call.func.id, call


def named(call: ast.Call) -> str:
    (name,) = call.args
    assert isinstance(name, ast.Constant), "a failpoint is named where it stands"
    return str(name.value)


def steps(source: str, function: str, room: str) -> dict[str, str]:
    """Return the functions of its own room that a function calls, with the failpoint after each."""
    tree = ast.parse(source)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    known = {*functions, *imported(tree, room)} - LOOK_UPS
    found: dict[str, str] = {}
    waiting: list[str] = []
    for statement in body(functions[function]):
        for name, call in calls(statement):
            if name == "failpoint":
                found |= dict.fromkeys(waiting, named(call))
                waiting = []
            elif name in known:
                waiting.append(name)
    return found | dict.fromkeys(waiting, "nowhere")


def imported(tree: ast.Module, room: str) -> Iterator[str]:
    """Yield the names of the functions that a module takes from modules of its room."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{room}."):
            yield from (name.name for name in node.names if name.name.islower())


def body(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    """Yield its statements, and those of its `with` blocks for the blocks themselves."""
    for statement in function.body:
        yield from statement.body if isinstance(statement, ast.With) else [statement]


def test_every_failpoint_has_its_row() -> None:
    sources = [path.read_text() for room in ROOMS for path in sorted(Path(room).rglob("*.py"))]
    found = {
        named(call)
        for source in sources
        for name, call in calls(ast.parse(source))
        if name == "failpoint"
    }

    assert found == ALL


@pytest.mark.parametrize("where", STEPS)
def test_every_step_has_its_failpoint(where: str) -> None:
    path, _, function = where.partition(":")

    assert steps(Path(path).read_text(), function, Path(path).parts[0]) == STEPS[where]


def test_a_step_that_has_none_is_found() -> None:
    source = Path("footfall/flush.py").read_text()
    trim = "    trim(log, claims)\n"
    longer = source.replace(trim, f"{trim}    claim()\n").replace(
        "claims = claim(unknown, take)", "claims = []"
    )
    last = source.replace('    failpoint("after_trim")\n', "")

    assert steps(longer, "_ingest", "footfall")["claim"] == "after_trim"
    assert steps(last, "_ingest", "footfall")["trim"] == "nowhere"
