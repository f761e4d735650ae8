"""Crashes inside the process of the tests, at failpoints, instead of kills."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from unittest import mock

from footfall.common.failpoints import ENVIRONMENT


class Crash(BaseException):
    """Stands for a kill: the transaction is rolled back, and the rest is not run."""


@contextmanager
def dying(at: str) -> Iterator[None]:
    """Crash at a failpoint, if it is reached; a caller goes on behind the block."""

    def kill(pid: int, number: int) -> None:
        raise Crash

    environment = mock.patch.dict(os.environ, {ENVIRONMENT: at})
    with environment, mock.patch("os.kill", kill), suppress(Crash):
        yield
