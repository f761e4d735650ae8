from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from loadtest.common import ports
from tests.support.stores import temporary_directory


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data directory that PostgreSQL's user can reach; pytest's own ones are closed to it."""
    with ExitStack() as stack:
        yield temporary_directory(stack)


@pytest.fixture
def free_port() -> int:
    return ports.free_port()
