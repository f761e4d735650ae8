"""The environment is the only configuration, and what is wrong with it is named."""

import sys
from pathlib import Path

import pytest
from django.conf import settings

from footfall.conf import SETTINGS, Conf
from standalone import addresses
from tests.support.environments import PRODUCTION
from tests.support.processes import Done, manage, run


def start(environment: dict[str, str]) -> Done:
    return run(environment, manage, "check", "--deploy", "--fail-level", "WARNING")


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
        ("COUNTERS_PARTITIONS", "0"),
        ("COUNTERS_PARTITIONS", "many"),
        ("COUNTERS_LOG_TIMEOUT_SECONDS", "-1"),
        ("COUNTERS_BATCH_EVENTS", "1e3"),
        ("COUNTERS_HOURLY_DAYS", "30"),
        ("CORS_ALLOWED_ORIGINS", "https://www.example.com,example.com"),
        ("CORS_ALLOWED_ORIGINS", "https://www.example.com/"),
        ("CORS_ALLOWED_ORIGINS", "*,https://www.example.com"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: str) -> None:
    done = start(PRODUCTION | {name: value})

    assert done.returncode != 0
    assert f'"{name}" invalid' in done.stderr
    assert "Traceback" not in done.stderr


PUBLISHED = [
    ({"DATABASE_URL": "postgres://footfall:footfall@db/footfall"}, "DATABASE_URL"),
    (
        {"DATABASE_URL": "mysql://footfall@db/n", "DATABASE_PASSWORD": "footfall"},
        "DATABASE_PASSWORD",
    ),
    ({"REDIS_URL": "redis://:footfall@redis:6379/0"}, "REDIS_URL"),
    ({"REDIS_PASSWORD": "footfall"}, "REDIS_PASSWORD"),
    ({"CACHE_URL": "redis://:footfall@redis:6379/1"}, "CACHE_URL"),
    ({"CELERY_BROKER_URL": "redis://:footfall@redis:6379/1"}, "CELERY_BROKER_URL"),
    (
        {
            "POSTGRES_HOST": "db",
            "POSTGRES_DB": "footfall",
            "POSTGRES_USER": "footfall",
            "POSTGRES_PASSWORD": "footfall",
        },
        "POSTGRES_PASSWORD",
    ),
]


@pytest.mark.parametrize(("variables", "name"), PUBLISHED)
def test_a_published_password_is_for_debug_mode_alone(variables: dict[str, str], name: str) -> None:
    done = start(PRODUCTION | variables)

    assert done.returncode != 0
    assert f'"{name}" invalid: its password is the published one' in done.stderr
    assert "leave it out of .env" in done.stderr  # what to do is said
    assert "Traceback" not in done.stderr

    assert shown(PRODUCTION | variables | {"DJANGO_DEBUG": "true"}, "s.DEBUG") == "True"


def show(expression: str, program: str) -> None:
    sys.argv = ["manage.py", program]
    sys.stdout.write(str(eval(expression, {"s": settings})))  # noqa: S307


def shown(environment: dict[str, str], expression: str, program: str = "migrate") -> str:
    """Return what an expression of the settings `s` is in that environment."""
    done = run(environment, show, expression, program)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    names = ("DJANGO_SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD")
    for name in names:
        (tmp_path / name).write_text(f"the/{name}@ of 32 characters or more\n")
    files = {f"{name}_FILE": str(tmp_path / name) for name in names}
    server = {"POSTGRES_HOST": "db", "POSTGRES_DB": "n", "POSTGRES_USER": "u"}
    environment = PRODUCTION | files | server | dict.fromkeys(names, "")

    database = "s.DATABASES['default']"
    found = shown(
        environment,
        f"[s.SECRET_KEY, {database}['PASSWORD'], s.CELERY_BROKER_URL, s.COUNTERS_LOG_URL]",
    )

    redis = "redis://:the%2FREDIS_PASSWORD%40%20of%2032%20characters%20or%20more@redis.example/0"
    key, password = (f"the/{name}@ of 32 characters or more" for name in names[:2])
    assert found == str([key, password, redis, redis])
    # What is in the variable itself comes first.
    assert shown(environment | {"REDIS_PASSWORD": "own"}, "s.COUNTERS_LOG_URL") == (
        "redis://:own@redis.example/0"
    )


def test_the_password_of_a_database_may_stand_beside_its_address() -> None:
    url = {"DATABASE_URL": "mysql://u@db:3306/n", "DATABASE_PASSWORD": "p@ss/w:rd"}

    assert shown(PRODUCTION | url, "s.DATABASES['default']['PASSWORD']") == "p@ss/w:rd"
    assert shown(PRODUCTION | url, "s.DATABASES['default']['HOST']") == "db"


def test_a_file_that_cannot_be_read_is_named() -> None:
    done = start(PRODUCTION | {"DJANGO_SECRET_KEY": "", "DJANGO_SECRET_KEY_FILE": "/nowhere"})

    assert done.returncode != 0
    assert '"DJANGO_SECRET_KEY_FILE" invalid' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_finds_the_stores_of_make_run_by_its_data_directory(tmp_path: Path) -> None:
    environment = {"PATH": PRODUCTION["PATH"], "DATA_DIR": str(tmp_path)}
    key = addresses.ensure_secret_key(tmp_path)
    addresses.write(tmp_path, addresses.DATABASE_URL, "postgres://postgres@%2Ftmp:5432/footfall")
    addresses.write(tmp_path, addresses.REDIS_URL, "unix:///tmp/redis.sock?db=0")

    found = shown(environment, "[s.SECRET_KEY, s.DATABASES['default']['HOST'], s.COUNTERS_LOG_URL]")

    assert found == str([key, "/tmp", "unix:///tmp/redis.sock?db=0"])  # noqa: S108
    # A variable comes first.
    assert shown(environment | {"REDIS_URL": "redis://r"}, "s.COUNTERS_LOG_URL") == "redis://r"


def test_a_variable_may_have_its_old_name() -> None:
    old = {"EVENTLOG_PARTITIONS": "3", "PREPARED_SECONDS": "60", "EVENTLOG_PREFIX": "old"}
    environment = PRODUCTION | old | {"COUNTERS_LOG_PREFIX": "new"}
    names = "[s.COUNTERS_PARTITIONS, s.COUNTERS_CACHE_SECONDS, s.COUNTERS_LOG_PREFIX]"

    assert shown(environment, names) == "[3, 60.0, 'new']"
    warned = start(environment).stderr
    assert "The variable EVENTLOG_PARTITIONS is now called COUNTERS_PARTITIONS." in warned


def test_each_setting_of_the_product_has_a_variable() -> None:
    of_other_projects = (Conf.COUNTERS_TEST_LOG_URL, Conf.COUNTERS_MODELS)
    settable = [one for one in SETTINGS if one.default is not None]
    settable = [one for one in settable if one not in of_other_projects]
    given = {one.name: one.kind(one.minimum or 7) for one in settable}
    environment = PRODUCTION | {name: str(value) for name, value in given.items()}

    assert shown(environment, f"{{name: getattr(s, name) for name in {list(given)}}}") == str(given)


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


SENTINELS = "redis+sentinel://:s%2Fcret@one.example:7000,two.example/3?service_name=shop"


def test_sentinels_are_an_address_for_log_cache_and_broker() -> None:
    found = shown(
        PRODUCTION | {"REDIS_URL": SENTINELS},
        "[s.COUNTERS_LOG_URL, s.CACHES['default']['LOCATION'], s.CELERY_BROKER_URL,"
        " s.CELERY_BROKER_TRANSPORT_OPTIONS['master_name']]",
    )

    broker = ";".join(
        f"sentinel://:s%2Fcret@{host}/3" for host in ("one.example:7000", "two.example:26379")
    )
    assert found == str([SENTINELS, [SENTINELS], broker, "shop"])


@pytest.mark.parametrize("url", ["redis+sentinel://one.example/0", "redis+sentinel://a:b/"])
def test_what_is_wrong_with_an_address_of_sentinels_is_named(url: str) -> None:
    done = start(PRODUCTION | {"REDIS_URL": url})

    assert done.returncode != 0
    assert '"REDIS_URL" invalid' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_may_have_several_hosts() -> None:
    url = "postgres://u:p%40@one.example:5433,[::1],%2Frun%2FPostgres:5434/n?sslmode=require"
    names = ("HOST", "PORT", "NAME", "USER", "PASSWORD")

    found = shown(
        PRODUCTION | {"DATABASE_URL": url},
        f"[s.DATABASES['default'][name] for name in {names}]"
        " + [s.DATABASES['default']['OPTIONS'][name] for name in"
        " ('sslmode', 'target_session_attrs')]",
    )

    hosts = "one.example,::1,/run/Postgres"
    assert found == str([hosts, "5433,5432,5434", "n", "u", "p@", "require", "read-write"])


@pytest.mark.parametrize("hosts", ["one.example,", "one.example:many,two.example"])
def test_a_host_that_is_none_is_named(hosts: str) -> None:
    done = start(PRODUCTION | {"DATABASE_URL": f"postgres://u:p@{hosts}/n"})

    assert done.returncode != 0
    assert '"DATABASE_URL" invalid' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("url", "engine"),
    [
        ("postgres://u:p@h:5433/n?sslmode=require", "postgresql"),
        ("mysql://u:p@h:3307/n", "project.databases.mysql"),
        ("sqlite:////tmp/footfall.sqlite3", "sqlite3"),
    ],
)
def test_databases(url: str, engine: str) -> None:
    found = shown(PRODUCTION | {"DATABASE_URL": url}, "s.DATABASES['default']")

    assert engine in found
    assert ("sslmode" in found) is ("sslmode" in url)


@pytest.mark.parametrize(("program", "seconds"), [("runserver", "0"), ("migrate", "600")])
def test_runserver_keeps_no_connections(program: str, seconds: str) -> None:
    """It starts a thread for each connection of a client, and each would keep one of its own."""
    assert shown(PRODUCTION, "s.DATABASES['default']['CONN_MAX_AGE']", program) == seconds


def test_compose_variables_make_a_database_whatever_the_password() -> None:
    environment = {key: value for key, value in PRODUCTION.items() if key != "DATABASE_URL"}
    names = ("POSTGRES_HOST", "POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD")

    done = start(environment | dict(zip(names, ("db", "n", "u", "p@ss/w:rd#%"), strict=True)))

    assert done.returncode == 0, done.stderr
