import pytest

from footfall.viewers import memory

read = memory.read


@pytest.fixture
def real_salts(known_salts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Salts and address ranges are read from the database, as in the service."""
    monkeypatch.setattr(memory, "read", read)
