import resource
from pathlib import Path

import pytest

from standalone import addresses, service
from standalone.configuration import Configuration


def test_what_is_given_is_kept(tmp_path: Path) -> None:
    given = {
        "ALLOWED_HOSTS": "footfall.example",
        "DJANGO_HTTPS": "true",
        "DJANGO_SECRET_KEY": "given",
        "PYTHONWARNINGS": "error",
        "SITE_URL": "https://footfall.example",
    }

    made = service.environment(Configuration(data_dir=tmp_path), given, {"REDIS_URL": "unix:///r"})

    warnings = made["PYTHONWARNINGS"].split(",")
    assert warnings[0] == "error"
    assert made == {
        **given,
        "REDIS_URL": "unix:///r",
        "DATA_DIR": str(tmp_path),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": ",".join(warnings),
    }
    assert addresses.read(tmp_path, addresses.SECRET_KEY) is None


def test_what_is_not_given_is_for_ones_own_machine(tmp_path: Path) -> None:
    made = service.environment(Configuration(data_dir=tmp_path), {}, {})

    assert made["DJANGO_SECRET_KEY"] == addresses.read(tmp_path, addresses.SECRET_KEY)
    assert made["DJANGO_HTTPS"] == "false"
    assert made["SITE_URL"] == "http://127.0.0.1:8000"
    assert made["ALLOWED_HOSTS"] == "localhost,127.0.0.1,[::1]"
    assert "DJANGO_DEBUG" not in made


def test_the_web_server_starts_last_and_so_stops_first(tmp_path: Path) -> None:
    programs = service.programs(Configuration(port=8123, data_dir=tmp_path), {})

    names = [program.name for program in programs]
    assert names == ["flusher", "worker", "web"]
    assert "8123" in programs[-1].command


@pytest.mark.parametrize(
    ("most", "held"), [(resource.RLIM_INFINITY, 8192), (1_048_576, 8192), (1024, 512), (256, 128)]
)
def test_the_web_server_accepts_no_more_than_it_has_descriptors_for(
    monkeypatch: pytest.MonkeyPatch, most: int, held: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda what: (256, most))

    limits = service.limits()

    assert limits[limits.index("--backpressure") + 1] == str(held)


def test_the_greeting_names_the_copy_that_runs(tmp_path: Path) -> None:
    lines = "\n".join(service.greeting(Configuration(port=8123, data_dir=tmp_path), ["who"]))

    assert "http://127.0.0.1:8123/admin/" in lines
    assert "who" in lines
    assert f"DATA_DIR={tmp_path}" in lines

    assert "DATA_DIR" not in "\n".join(service.greeting(Configuration(), []))
