"""What the containers may do, as docker-compose.yml says it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from project import stores
from standalone.configuration import Configuration
from standalone.service import limits, programs

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
SCALED: dict[str, Any] = yaml.safe_load((ROOT / "compose/scale.yml").read_text())["services"]
STORES = ("db", "redis")
# What is written, beside the volumes of the stores: temporary files, uploads, PostgreSQL's socket.
WRITABLE = {"/tmp", "/media/footfall", "/run/postgresql", "/var/lib/postgresql/data", "/data"}  # noqa: S108
EVERY = pytest.mark.parametrize("name", SERVICES)


def user_of(service: dict[str, Any]) -> str:
    """Return as whom it runs: the compose file says so, or else the Dockerfile."""
    if user := service.get("user"):
        return str(user)
    stage = (ROOT / "compose/Dockerfile").read_text().split("AS ")
    target = next(text for text in stage if text.startswith(service["build"]["target"]))
    *_, user = (line for line in target.splitlines() if line.startswith("USER "))
    return user.removeprefix("USER ")


@EVERY
def test_no_container_is_root_or_becomes_it(name: str) -> None:
    assert user_of(SERVICES[name]) in {"footfall", "postgres", "redis", "10001:10001"}
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert "cap_add" not in SERVICES[name]
    assert "privileged" not in SERVICES[name]
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]


@EVERY
def test_a_container_writes_only_where_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    mounted = [*service.get("volumes", []), *service["tmpfs"]]
    places = [next(part for part in one.split(":") if part.startswith("/")) for one in mounted]
    assert set(places) <= WRITABLE
    assert not any("docker.sock" in one or one.startswith(("/var/run:", ".")) for one in mounted)


@pytest.mark.parametrize("name", STORES)
def test_a_store_is_not_published_and_wants_a_password(name: str) -> None:
    store = SERVICES[name]
    assert "ports" not in store
    assert "network_mode" not in store
    if name == "redis":
        assert "requirepass" in store["command"][-1]
    else:
        assert store["environment"]["POSTGRES_PASSWORD"]
        assert "POSTGRES_HOST_AUTH_METHOD" not in store["environment"]


def test_every_password_comes_from_the_environment() -> None:
    for service in SERVICES.values():
        for name, value in (service.get("environment") or {}).items():
            if any(word in name for word in ("PASSWORD", "SECRET", "AUTH", "KEY")):
                assert str(value).startswith("${"), name
    assert "${REDIS_PASSWORD:-" in SERVICES["runserver"]["environment"]["REDIS_URL"]


def test_only_the_service_itself_is_published_to_all() -> None:
    published = {
        name: port
        for name, service in SERVICES.items()
        for port in service.get("ports", [])
        if not port.startswith("127.0.0.1:")
    }
    assert published == {"runserver": "8000:8000"}


@pytest.mark.parametrize("name", ["pgbouncer", "proxy"])
def test_what_scaling_adds_is_hardened_as_well(name: str) -> None:
    service = SCALED[name]
    users = re.findall(r"^USER (.+)$", (ROOT / service["build"] / "Dockerfile").read_text(), re.M)
    assert users[-1] in {"postgres", "101:101"}
    for key in ("read_only", "cap_drop", "security_opt"):
        assert service[key] == SERVICES["web"][key]


def test_everything_that_scales_knows_of_the_pooler() -> None:
    with_database = {name for name, service in SERVICES.items() if "-A project" in str(service)}
    for name in {"web", *with_database} - {"flower"}:
        assert SCALED[name]["environment"]["DATABASE_POOLED"] == "true"
    # What a pooler does not pass on, the server is started with.
    for limit in re.findall(r"-c (\S+)", stores.TIMEOUTS):
        assert limit in SCALED["db"]["command"]


def test_the_proxy_never_sends_a_request_twice() -> None:
    http, stream = (ROOT / "compose/nginx/nginx.conf").read_text().split("\nstream {")
    assert "proxy_next_upstream off;" in http
    assert "keepalive " not in http  # an idle connection may end just when it is taken
    assert "proxy_next_upstream on;" in stream  # there, a connection that was refused


def test_the_proxy_reads_files_and_changes_none() -> None:
    assert SCALED["proxy"]["volumes"] == ["media:/media/footfall:ro"]
    assert SERVICES["web"]["volumes"] == ["media:/media/footfall"]
    assert SCALED["web"]["environment"]["DOWNLOADS_ACCEL_PREFIX"]


def test_the_proxy_holds_thousands_of_clients_that_say_nothing() -> None:
    text = (ROOT / "compose/nginx/nginx.conf").read_text()
    (connections,) = map(int, re.findall(r"worker_connections (\d+);", text))
    assert connections > 10_000
    assert re.search(rf"worker_rlimit_nofile {2 * connections};", text)
    for limit in ("client_header_timeout", "client_body_timeout", "send_timeout"):
        assert f"    {limit} " in text


def test_the_web_server_has_the_limits_of_make_run() -> None:
    dockerfile = (ROOT / "compose/Dockerfile").read_text()
    (written,) = re.findall(r'^CMD (\["granian".+\])$', dockerfile, re.M)
    theirs = json.loads(written)
    (web,) = (one for one in programs(Configuration(), {}) if one.name == "web")
    for option in (*limits()[::2], "--workers", "--blocking-threads"):
        assert theirs[theirs.index(option) + 1] == web.command[web.command.index(option) + 1]
