import pytest

from tests.eventlog.contract import LogContract
from tests.eventlog.memory import MemoryLog


class TestMemoryLog(LogContract):
    @pytest.fixture
    def log(self) -> MemoryLog:
        return MemoryLog()

    @pytest.fixture
    def small_log(self) -> MemoryLog:
        return MemoryLog(max_bytes=10_000)
