import pytest

from footfall.eventlog.memory import MemoryLog
from tests.footfall.eventlog.contract import LogContract


class TestMemoryLog(LogContract):
    @pytest.fixture
    def log(self) -> MemoryLog:
        return MemoryLog()

    @pytest.fixture
    def small_log(self) -> MemoryLog:
        return MemoryLog(max_bytes=10_000)
