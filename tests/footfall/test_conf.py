"""The settings of the product, as a project has them."""

from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from footfall.conf import SETTINGS, Setting, conf


def unsilenced() -> list[CheckMessage]:
    return [one for one in run_checks() if not one.is_silenced()]


def test_a_setting_is_read_again_when_it_changes(settings: Settings) -> None:
    settings.COUNTERS_PARTITIONS = 3
    assert conf.COUNTERS_PARTITIONS == 3
    settings.COUNTERS_PARTITIONS = 5
    assert conf.COUNTERS_PARTITIONS == 5


def test_a_setting_that_a_project_does_not_have_has_its_default(settings: Settings) -> None:
    del settings.COUNTERS_BATCH_EVENTS

    assert conf.COUNTERS_BATCH_EVENTS == 50_000


@pytest.mark.parametrize("setting", [one for one in SETTINGS if one.old_name])
def test_the_old_name_works_with_a_warning(settings: Settings, setting: Setting[Any]) -> None:
    value = setting.kind(7)
    delattr(settings, setting.name)
    setattr(settings, setting.old_name, value)

    assert getattr(conf, setting.name) == value
    (warning,) = unsilenced()
    assert warning.id == "counters.W001"
    assert warning.msg == f"The setting {setting.old_name} is now called {setting.name}."

    setattr(settings, setting.name, setting.kind(8))  # the new name comes first
    assert getattr(conf, setting.name) == setting.kind(8)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("COUNTERS_PARTITIONS", 0, "int, at least 1, at most 256, not 0"),
        ("COUNTERS_PARTITIONS", "8", "int, at least 1, at most 256, not '8'"),
        ("COUNTERS_PARTITIONS", 257, "int, at least 1, at most 256, not 257"),
        ("COUNTERS_LOG_TIMEOUT_SECONDS", 0.001, "float, at least 0.01, not 0.001"),
        ("COUNTERS_LOG_PREFIX", 1, "str, not 1"),
    ],
)
def test_an_invalid_value_is_named(
    settings: Settings, name: str, value: object, wanted: str
) -> None:
    setattr(settings, name, value)

    with pytest.raises(ImproperlyConfigured, match=f"The setting {name} must be {wanted}"):
        getattr(conf, name)
    (error,) = unsilenced()
    assert (error.id, error.msg) == ("counters.E001", f"The setting {name} must be {wanted}.")


def test_the_address_of_redis_has_no_default(settings: Settings) -> None:
    del settings.COUNTERS_LOG_URL

    (error,) = unsilenced()
    assert error.msg == "The setting COUNTERS_LOG_URL is missing."
