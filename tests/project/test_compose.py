"""What the containers may do, as docker-compose.yml says it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from project import backends
from standalone.configuration import Configuration
from standalone.service import limits, programs

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
SCALED: dict[str, Any] = yaml.safe_load((ROOT / "compose/scale.yml").read_text())["services"]
DOUBLED: dict[str, Any] = yaml.safe_load((ROOT / "compose/ha.yml").read_text())["services"]
FILES = [ROOT / "docker-compose.yml", *sorted((ROOT / "compose").glob("*.yml"))]
STORES = ("db", "redis")
MADE = {
    f"/secrets/{name}"
    for name in ("django_secret_key", "postgres_password", "redis_password", "flower_password")
} | {"/tmp"}  # noqa: S108
SAID_BY_THE_SHELL = re.compile(
    r"\[ -n \"|printf |^export |^\s*(REDISCLI_AUTH|CMD-SHELL REDISCLI_AUTH)=|alter |quoted="
)
# What is written, beside the volumes of the stores: temporary files, uploads, PostgreSQL's socket.
WRITABLE = {"/tmp", "/media/footfall", "/run/postgresql", "/var/lib/postgresql/data", "/data"}  # noqa: S108
EVERY = pytest.mark.parametrize("name", SERVICES)


def services(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text())["services"]
    return found


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
    writable = {place(one) for one in mounted if not one.endswith(":ro")}
    assert writable <= (MADE if name == "secrets" else WRITABLE)
    assert not any("docker.sock" in one or one.startswith(("/var/run:", ".")) for one in mounted)


def place(mounted: str) -> str:
    return next(part for part in mounted.split(":") if part.startswith("/"))


@pytest.mark.parametrize("name", STORES)
def test_a_store_is_not_published_and_wants_a_password(name: str) -> None:
    store = SERVICES[name]
    assert "ports" not in store
    assert "network_mode" not in store
    if name == "redis":
        assert "requirepass" in store["command"][-1]
    else:
        assert "ALTER ROLE" in store["entrypoint"][2]  # whichever it had before
        assert "POSTGRES_HOST_AUTH_METHOD" not in store["environment"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_password_is_in_a_compose_file(file: Path) -> None:
    """It comes from `.env`, or else from a file that is made at the first start."""
    for service in services(file).values():
        variables = service.get("environment") or {}
        secret = {name for name in variables if re.search("PASSWORD|SECRET|AUTH|KEY", name)}
        secret -= {"API_BASIC_AUTH"}  # on or off
        # Of the administrator and of the bucket none is made: they are known elsewhere.
        for name in {name for name in secret if not name.startswith(("DJANGO_SUPER", "S3_"))}:
            if name.endswith("_FILE"):
                assert re.fullmatch(r"/secrets/\w+/value", variables[name])
            else:
                assert re.fullmatch(r"\$\{\w+:-\}", str(variables[name])), name
                assert f"{name}_FILE" in variables or f"/secrets/{name.lower()}" in str(service)
        assert not re.search(r"://[^/@]*:[^/@]*@", re.sub(r"\$\{[^}]*\}", "", str(variables)))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_password_is_on_a_command_line(file: Path) -> None:
    """A list of processes shows those; not what a shell says by itself (`printf`, variables)."""
    for name, service in services(file).items():
        check = service.get("healthcheck", {}).get("test", "")
        for part in (service.get("command", ""), service.get("entrypoint", ""), check):
            script = " ".join(part) if isinstance(part, list) else part
            for word in re.findall(r"\S*\$\$\{?\w*(?:PASSWORD|SECRET|KEY|quoted)\S*", script):
                line = next(line for line in script.splitlines() if word in line)
                assert SAID_BY_THE_SHELL.search(line), (name, line)


@EVERY
def test_a_container_sees_the_secrets_that_it_needs_and_no_other(name: str) -> None:
    service = SERVICES[name]
    seen = {one.split(":")[0] for one in service.get("volumes", []) if "/secrets/" in one}
    own = {"db": {"postgres_password"}, "redis": {"redis_password"}, "mail": set(), "locust": set()}
    application = {"django_secret_key", "postgres_password", "redis_password"}
    if name in {"secrets", "flower"}:
        assert seen == application | {"flower_password"}
    else:
        assert seen == own.get(name, application)
    if name != "secrets":
        assert all(one.endswith(":ro") for one in service.get("volumes", []) if "/secrets/" in one)


def test_every_place_of_a_secret_belongs_to_its_maker() -> None:
    """A volume takes its owner from the image."""
    dockerfile = (ROOT / "compose/Dockerfile").read_text()
    owned = set(re.findall(r"/secrets/\w+", dockerfile))
    made = {
        place(one) for file in FILES for one in services(file).get("secrets", {}).get("volumes", [])
    }
    assert made == owned


def test_debug_mode_is_off_unless_it_is_asked_for() -> None:
    assert SERVICES["runserver"]["environment"]["DJANGO_DEBUG"] == "${DJANGO_DEBUG:-false}"
    example = (ROOT / ".env.example").read_text()
    assert not re.search(r"^(DJANGO_DEBUG=true|\w*PASSWORD=.)", example, re.M)


# Those are what the file itself is about: its stores, and the pooler of `compose/scale.yml`.
GIVEN_BY_COMPOSE = {
    "DATABASE_URL",
    "DATABASE_PASSWORD",
    "DATABASE_POOLED",
    "POSTGRES_PORT",
    "CELERY_BROKER_URL",
    "CACHE_URL",
    "DATA_DIR",
}


def test_every_setting_may_be_in_the_env_file() -> None:
    page = (ROOT / "docs/reference/settings.md").read_text()
    cells = re.findall(r"^\| (`.*?) \|", page, re.M)
    settings = {name for cell in cells for name in re.findall(r"`([A-Z0-9_]+)`", cell)}
    assert {"DJANGO_DEBUG", "THROTTLE_LOGIN", "SLOW_CLIENT_SECONDS"} < settings
    assert settings - SERVICES["web"]["environment"].keys() == GIVEN_BY_COMPOSE


def test_a_secret_is_made_once_and_is_long(tmp_path: Path) -> None:
    def make() -> list[str]:
        command = [sys.executable, "compose/keep_secrets.py", *map(str, folders)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return [(folder / "value").read_text() for folder in folders]

    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()

    first, second = make()

    assert len(first) == len(second) == 64
    assert first != second
    assert re.fullmatch(r"[\w-]+", first, re.A)  # nothing that an address or a shell would change
    assert make() == [first, second]
    assert (folders[0] / "value").stat().st_mode & 0o777 == 0o444


def test_flower_and_grafana_want_a_password() -> None:
    assert "FLOWER_BASIC_AUTH=" in SERVICES["flower"]["command"][-1]
    grafana = services(ROOT / "compose/monitoring.yml")["grafana"]
    assert "GF_SECURITY_ADMIN_PASSWORD=" in grafana["entrypoint"][2]
    assert "GF_AUTH_ANONYMOUS_ENABLED" not in grafana["environment"]


def test_only_the_service_itself_is_published_to_all() -> None:
    published = {
        name: port
        for file in FILES
        for name, service in services(file).items()
        for port in service.get("ports", [])
        if not port.startswith("127.0.0.1:")
    }
    assert published == {"runserver": "8000:8000", "proxy": "8080:8080"}


def test_every_image_has_a_tag_and_may_be_another() -> None:
    """A digest of one's own comes by `image`, or as an argument of the build."""
    for file in FILES:
        for service in services(file).values():
            if "image" in service and not service["image"].startswith("footfall"):
                assert re.search(r":v?\d[\d.]*\}?$", service["image"]), service["image"]
    for dockerfile in (ROOT / "compose").rglob("Dockerfile"):
        first, *_ = re.findall(r"^FROM (\S+)", dockerfile.read_text(), re.M)
        name = first.removeprefix("${").removesuffix("}")
        assert re.search(rf"^ARG {name}=\w+:\w", dockerfile.read_text(), re.M), dockerfile


@pytest.mark.parametrize("name", ["pgbouncer", "proxy"])
def test_what_scaling_adds_is_hardened_as_well(name: str) -> None:
    service = SCALED[name]
    users = re.findall(r"^USER (.+)$", (ROOT / service["build"] / "Dockerfile").read_text(), re.M)
    assert users[-1] in {"postgres", "101:101"}
    for key in ("read_only", "cap_drop", "security_opt"):
        assert service[key] == SERVICES["web"][key]


@pytest.mark.parametrize("name", [one for one in DOUBLED if "image" in DOUBLED[one]])
def test_what_fails_over_is_hardened_as_well(name: str) -> None:
    service = DOUBLED[name]
    users = re.findall(r"^USER (.+)$", (ROOT / service["build"] / "Dockerfile").read_text(), re.M)
    assert users[-1] in {"postgres", "redis"}
    assert "ports" not in service
    for key in ("read_only", "cap_drop", "security_opt"):
        assert service[key] == SERVICES["web"][key]
    seen = {one.split(":")[0] for one in service["volumes"] if "/secrets/" in one}
    own = {"etcd": set(), "db": {"postgres_password"}}.get(name.rstrip("123"), {"redis_password"})
    assert seen == own


def test_everything_that_uses_the_stores_knows_all_of_them() -> None:
    for name in [name for name, one in SERVICES.items() if "-A project" in str(one)] + ["web"]:
        variables = DOUBLED[name]["environment"]
        assert variables["POSTGRES_HOST"] == "db,db2"
        assert variables["REDIS_URL"].count("sentinel") == 4


def test_everything_that_scales_knows_of_the_pooler() -> None:
    with_database = {name for name, service in SERVICES.items() if "-A project" in str(service)}
    for name in {"web", *with_database} - {"flower"}:
        assert SCALED[name]["environment"]["DATABASE_POOLED"] == "true"
    # What a pooler does not pass on, the server is started with.
    for limit in re.findall(r"-c (\S+)", backends.TIMEOUTS):
        assert limit in SCALED["db"]["command"]


def test_the_proxy_never_sends_a_request_twice() -> None:
    http, stream = (ROOT / "compose/nginx/nginx.conf").read_text().split("\nstream {")
    assert "proxy_next_upstream off;" in http
    assert "keepalive " not in http  # an idle connection may end just when it is taken
    assert "proxy_next_upstream on;" in stream  # there, a connection that was refused


def test_the_proxy_reads_files_and_changes_none() -> None:
    assert SCALED["proxy"]["volumes"] == ["media:/media/footfall:ro"]
    assert "media:/media/footfall" in SERVICES["web"]["volumes"]
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
    (written,) = re.findall(r'^CMD (\["python", "-m", "project.web_server".+\])$', dockerfile, re.M)
    theirs = json.loads(written)
    (web,) = (one for one in programs(Configuration(), {}) if one.name == "web")
    for option in (*limits()[::2], "--workers", "--blocking-threads"):
        assert theirs[theirs.index(option) + 1] == web.command[web.command.index(option) + 1]
