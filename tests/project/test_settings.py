"""The environment is the only configuration, and what is wrong with it is named."""

import re
import subprocess
import sys

import pytest

from standalone.configuration import ROOT
from tests.support.environments import PRODUCTION


def start(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_settings_pass_the_deployment_check() -> None:
    done = start(PRODUCTION)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["DJANGO_SECRET_KEY", "DATABASE_URL", "REDIS_URL"])
def test_what_is_missing_is_named(name: str) -> None:
    done = start({key: value for key, value in PRODUCTION.items() if key != name})

    assert done.returncode != 0
    assert f'"{name}" not set' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DJANGO_SECRET_KEY", "short"),
        ("DJANGO_SECRET_KEY", "for-development-only-put-your-own-into-the-file-.env"),
        ("DJANGO_DEBUG", "perhaps"),
        ("EMAIL_URL", "pigeon://roof"),
        ("EVENTLOG_PARTITIONS", "0"),
        ("EVENTLOG_PARTITIONS", "many"),
        ("EVENTLOG_TIMEOUT_SECONDS", "-1"),
        ("COUNTERS_BATCH_EVENTS", "1e3"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: str) -> None:
    done = start(PRODUCTION | {name: value})

    assert done.returncode != 0
    assert f'"{name}" invalid' in done.stderr
    assert "Traceback" not in done.stderr


CLUSTER = "redis+cluster://:secret@one.example:7000,two.example:7001/"
BESIDE = {"CELERY_BROKER_URL": "redis://broker/0", "CACHE_URL": "redis://cache/0"}


def test_a_cluster_has_a_broker_and_a_cache_beside_it() -> None:
    done = start(PRODUCTION | {"REDIS_URL": CLUSTER} | BESIDE)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", BESIDE)
def test_a_cluster_cannot_be_the_broker_or_the_cache(name: str) -> None:
    others = {other: url for other, url in BESIDE.items() if other != name}

    done = start(PRODUCTION | {"REDIS_URL": CLUSTER} | others)
    assert done.returncode != 0
    assert f'"{name}" not set' in done.stderr
    assert "Traceback" not in done.stderr

    done = start(PRODUCTION | BESIDE | {name: CLUSTER})
    assert done.returncode != 0
    assert f'"{name}" invalid' in done.stderr


@pytest.mark.parametrize(
    ("url", "engine"),
    [
        ("postgres://u:p@h:5433/n?sslmode=require", "postgresql"),
        ("mysql://u:p@h:3307/n", "project.mysql"),
        ("sqlite:////tmp/footfall.sqlite3", "sqlite3"),
    ],
)
def test_databases(url: str, engine: str) -> None:
    code = "from django.conf import settings; print(settings.DATABASES['default'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=PRODUCTION | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "project.settings"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert engine in done.stdout
    assert ("sslmode" in done.stdout) is ("sslmode" in url)


@pytest.mark.parametrize(("program", "seconds"), [("runserver", "0"), ("migrate", "600")])
def test_runserver_keeps_no_connections(program: str, seconds: str) -> None:
    """It starts a thread for each connection of a client, and each would keep one of its own."""
    code = (
        f"import sys; sys.argv = ['manage.py', {program!r}]; from django.conf import settings; "
        "print(settings.DATABASES['default']['CONN_MAX_AGE'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=PRODUCTION | {"DJANGO_SETTINGS_MODULE": "project.settings"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == seconds


def test_compose_variables_make_a_database_whatever_the_password() -> None:
    environment = {key: value for key, value in PRODUCTION.items() if key != "DATABASE_URL"}
    names = ("POSTGRES_HOST", "POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD")

    done = start(environment | dict(zip(names, ("db", "n", "u", "p@ss/w:rd#%"), strict=True)))

    assert done.returncode == 0, done.stderr


def test_the_readme_lists_every_variable() -> None:
    modules = [ROOT / f"project/{name}.py" for name in ("environment", "settings", "stores")]
    source = "".join(module.read_text() for module in modules)
    names = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source))
    readme = (ROOT / "README.md").read_text()

    assert len(names) > 15
    assert sorted(name for name in names if f"`{name}`" not in readme) == []
