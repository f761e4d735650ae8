"""A kill at a failpoint, inside the process of the tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from unittest import mock

from footfall.common.failpoints import ENVIRONMENT


class Crash(BaseException):
    """Stands for a kill of the flush: its transaction is rolled back, and the rest not run."""


@contextmanager
def dying(at: str) -> Iterator[None]:
    """Crash at a failpoint, if it is reached. A projection is not asked to survive that."""

    def kill(pid: int, number: int) -> None:
        raise Crash

    environment = {ENVIRONMENT: at}
    with mock.patch.dict(os.environ, environment), mock.patch("os.kill", kill), suppress(Crash):
        yield
