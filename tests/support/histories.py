"""How many histories Hypothesis tries: few in each run, many where the long tests run."""

import os

import pytest


def histories(few: int, many: int) -> pytest.MarkDecorator:
    """Call the test with a number of `histories`; FOOTFALL_HISTORIES says another one."""
    if asked := os.environ.get("FOOTFALL_HISTORIES"):
        return pytest.mark.parametrize("histories", [int(asked)])
    long = pytest.param(many, marks=pytest.mark.long)
    return pytest.mark.parametrize("histories", [few, long])
