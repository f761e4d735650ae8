import pytest


@pytest.fixture(autouse=True)
def own_log(own_log: None) -> None:
    """Every test here gets it."""
