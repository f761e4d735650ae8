from collections.abc import Iterator

import pytest

from tests.support.targets import AT_HOME, countable


@pytest.fixture
def at_home(transactional_db: None) -> Iterator[None]:
    """The models of `AT_HOME` are there."""
    with countable(*AT_HOME):
        yield
