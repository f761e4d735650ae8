"""The pytest plugin that has one process compile the tests (`-p tests.support.compiled`).

In an empty clone each process of pytest-xdist would compile all of them, for 8 s, at the same time
as the others. So the first one collects alone, and the others find what it has compiled.
"""

import fcntl
import os
import sys
from io import TextIOWrapper
from pathlib import Path

import pytest

from tests.support.coverage import ASKED

NAME = f"collected-{sys.implementation.cache_tag}-{pytest.__version__}{os.environ.get(ASKED, '')}"
DONE = Path(__file__).parents[1] / "__pycache__" / NAME
"""Has a word in it once the tests were compiled in this clone; `make clean` removes it."""

alone = pytest.StashKey[TextIOWrapper]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ or sys.dont_write_bytecode:
        return
    DONE.parent.mkdir(exist_ok=True)
    file = DONE.open("a")
    early_config.add_cleanup(file.close)
    fcntl.flock(file, fcntl.LOCK_EX)
    if os.fstat(file.fileno()).st_size:
        file.close()
    else:
        early_config.stash[alone] = file


def pytest_collection_finish(session: pytest.Session) -> None:
    if file := session.config.stash.get(alone, None):
        file.write("yes")
        file.close()
