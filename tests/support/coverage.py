"""The pytest plugin that measures coverage (`-p tests.support.coverage`), where make asks for it.

It does what SlipCover's own does, for less: nothing in the main process, which runs no test. What
SlipCover makes of a module is kept in `__pycache__`, since to make it took each process 3 s. And
the probes stay in lines that have run. SlipCover takes them out after 50 hits, and looks through
every module for them each time: that took longer than the probes take.
"""

import ast
import json
import os
import sys
import tomllib
import zlib
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import slipcover
from slipcover import branch, probe

ASKED = "FOOTFALL_TESTS_COVERAGE"
ROOT = Path(__file__).parents[2]
NEVER = -1
"""After so many hits SlipCover takes a probe out."""
SIGNAL, PROBE = "slipcover.signal", "slipcover.probe"
"""Stand in the code that is kept for what no file can hold."""

worker = os.environ.get("PYTEST_XDIST_WORKER", "")
settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["slipcover"]
KEY = zlib.crc32(Path(__file__).read_bytes() + repr((slipcover.__version__, settings)).encode())
"""What is kept depends on all of this, and on the module."""


class Cover(slipcover.Slipcover):  # type: ignore[misc]  # SlipCover has no types
    """Knows what of a loaded module counts; SlipCover looks through all sources at the end."""

    def __init__(self, **options: Any) -> None:
        super().__init__(branch=True, exclude_also=settings["exclude-also"], **options)
        self._loaded: set[str] = set()

    def add(self, path: str, lines: frozenset[int], branches: frozenset[tuple[int, int]]) -> None:
        self.code_lines[path] = {*lines}
        self.code_branches[path] = {*branches}
        self._loaded.add(str(Path(path).relative_to(ROOT)))

    def _filter_excluded_lines(self, files: dict[str, Any]) -> None:
        others = {name: found for name, found in files.items() if name not in self._loaded}
        super()._filter_excluded_lines(others)


class Loader(SourceFileLoader):
    """Loads a module with probes. What it compiles has stand-ins for them, and is kept."""

    def get_data(self, path: str) -> bytes:
        return super().get_data(kept(path))

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        super().set_data(kept(path), data, _mode=_mode)

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> CodeType:  # type: ignore[override]
        """Return the code; the last constants are the lines and branches that count."""
        code = compile(branch.preinstrument(ast.parse(data)), path, "exec", dont_inherit=True)
        stand_ins = SimpleNamespace(
            signal=SIGNAL, new=lambda cover, file, what, hits: (PROBE, what)
        )
        known = Cover()
        with patch.object(sys.modules["slipcover.slipcover"], "probe", stand_ins):
            made: CodeType = known.instrument(code)
        excluded = known._compute_excluded_lines(data.decode())
        lines = frozenset(known.code_lines[path] - excluded)
        branches = frozenset(each for each in known.code_branches[path] if each[0] not in excluded)
        return made.replace(co_consts=(*made.co_consts, lines, branches))

    def exec_module(self, module: ModuleType) -> None:
        code = self.get_code(module.__name__)
        assert code
        assert cover
        *_, lines, branches = code.co_consts
        cover.add(self.path, lines, branches)
        exec(with_probes(code, self.path, lines | branches), module.__dict__)  # noqa: S102


def kept(path: str) -> str:
    """Return where the compiled module is kept: not where Python keeps its own."""
    return path.replace(".pyc", f"-slipcover-{KEY:08x}.pyc")


def with_probes(code: CodeType, path: str, counted: frozenset[Any]) -> CodeType:
    """Return the code with probes for the stand-ins. What does not count is told of no file."""

    def probed(constant: Any) -> Any:
        match constant:
            case CodeType():
                return with_probes(constant, path, counted)
            case (str(word), what) if word == PROBE:
                return probe.new(cover, path if what in counted else "", what, NEVER)
            case str() if constant == SIGNAL:
                return probe.signal
        return constant

    return code.replace(co_consts=tuple(map(probed, code.co_consts)))


class Finder(MetaPathFinder):
    """Finds the modules in the folders that are measured."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name.partition(".")[0] not in settings["source"]:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and isinstance(spec.loader, SourceFileLoader) and ours(spec.loader.path):
            spec.loader = Loader(name, spec.loader.path)
        return spec


def ours(path: str) -> bool:
    return path.startswith(f"{ROOT}{os.sep}")


def start() -> Cover:
    """Measure what is imported from now on."""
    # What was never imported is in the figures of the first one alone.
    cover = Cover(source=settings["source"] if worker == "gw0" else None)
    sys.meta_path.insert(0, Finder())
    return cover


cover = start() if worker and os.environ.get(ASKED) else None


def pytest_sessionfinish() -> None:
    if cover:
        (ROOT / f".coverage.{worker}.json").write_text(json.dumps(cover.get_coverage()))
