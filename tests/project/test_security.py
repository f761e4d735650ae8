"""The promises of docs/security.md about settings, headers and logs."""

import logging
import os
import re
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from pytest_django import Settings

from project.errors.logs import SafeFormatter
from standalone.configuration import ROOT
from tests.support.environments import PRODUCTION
from tests.support.pages import make_page, make_text
from tests.support.processes import run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_log")]

PEOPLE = ("/upload/", "/files/", "/admin/login/", "/api/v1/docs/", "/password/set/", "/nowhere/")
SECRET = re.compile(
    r"""(?ix) (?:secret|password|passwd|api_?key|access_?key|token) (?:_key)? ["']? \s* [:=] \s*
    ["'] [^"'\s]{6,} ["']"""
)


def html(client: Client, address: str) -> str:
    answer = client.get(address, headers={"Accept": "text/html"})
    assert answer.headers["Content-Type"].startswith("text/html")
    return answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("address", PEOPLE)
def test_pages_for_people_have_a_policy_without_inline_script(client: Client, address: str) -> None:
    policy = html(client, address)
    assert "default-src 'self'" in policy
    assert "object-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_the_api_has_no_policy_to_pay_for(client: Client, own_log: None) -> None:
    page = make_page(make_text())
    for _ in range(2):  # made, and prepared
        answer = client.get(f"/api/v1/pages/{page.pk}/")
        assert "Content-Security-Policy" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"


def test_no_template_of_ours_has_inline_script() -> None:
    templates = [file for file in tracked("*.html") if "/mail/" not in file]
    assert len(templates) > 10
    for file in templates:
        text = (ROOT / file).read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|javascript:", text), file


def test_host_that_is_not_ours_is_refused(client: Client, own_log: None) -> None:
    page = make_page(make_text())
    for _ in range(2):
        answer = client.get(f"/api/v1/pages/{page.pk}/", headers={"Host": "evil.example"})
        assert answer.status_code == 400
        assert client.get(f"/api/v1/pages/{page.pk}/").status_code == 200


def say_how_cookies_are_sent() -> None:
    names = [
        *("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY"),
        *("SESSION_COOKIE_SAMESITE", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS"),
    ]
    sys.stdout.write(" ".join(str(getattr(settings, name)) for name in names))


def test_cookies_are_for_https_and_not_for_scripts() -> None:
    environment = PRODUCTION | {"DJANGO_SETTINGS_MODULE": "project.settings"}
    done = run(environment, say_how_cookies_are_sent)
    assert done.stdout.split() == ["True", "True", "True", "Lax", "True", "31536000"], done.stderr


def tracked(*patterns: str) -> list[str]:
    """Return the names of the files that belong to the project."""
    found = []
    for room, rooms, files in os.walk(ROOT):
        rooms[:] = set(rooms) - {".git", ".venv", ".data", "node_modules"}
        found += [Path(room, file) for file in files if any(fnmatch(file, one) for one in patterns)]
    return [str(file.relative_to(ROOT)) for file in found]


def test_no_secret_is_in_the_tree() -> None:
    """Of what runs in production: tests and load tests contain passwords."""
    assert SECRET.search('SECRET_KEY = "0123456789"')
    assert SECRET.search("'PASSWORD': 'correct horse'".replace(" h", "-h"))
    for file in tracked("*.py", "*.html", "*.js", "*.toml", "Dockerfile"):
        if not file.startswith(("tests/", "loadtest/")):
            lines = (ROOT / file).read_text().splitlines()
            # What only looks like one has been looked at, and says so.
            found = [line for line in lines if SECRET.search(line) and "noqa: S105" not in line]
            assert found == [], file


@pytest.mark.parametrize(
    "text",
    [
        "a\nERROR   root: forged",
        "a\r\nINFO b",
        "a\x1b[2Jb",
        "a\u2028b",
        "a\x85b",
        "a\u202eb",
        "a\0b",
    ],
)
def test_control_characters_make_no_line_of_their_own(text: str) -> None:
    line = SafeFormatter("%(levelname)-7s %(name)s: %(message)s")
    record = logging.LogRecord("uploads", logging.INFO, "", 0, "took %s", (text,), None)
    written = line.format(record)
    assert len(written.splitlines()) == 1
    assert written.isprintable()


def test_the_error_behind_a_stack_makes_no_line_of_its_own() -> None:
    try:
        raise ValueError("a.txt\nERROR   root: forged\r\x1b[2J")
    except ValueError as error:
        found = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("uploads", logging.ERROR, "", 0, "failed", (), found)
    first, *others = SafeFormatter("%(levelname)s %(message)s").format(record).split("\n")
    assert first == "ERROR failed"
    assert others
    assert all(line.startswith("    ") and line.isprintable() for line in others)


@pytest.mark.parametrize("name", ["", "django.request", "django.server", "uploads", "celery"])
def test_every_logger_writes_such_lines(name: str) -> None:
    logger: logging.Logger | None = logging.getLogger(name)
    found: list[logging.Handler] = []
    while logger:
        found += logger.handlers
        logger = logger.parent if logger.propagate else None
    streams = [one for one in found if type(one) is logging.StreamHandler]
    assert [type(one.formatter) for one in streams] == [SafeFormatter]


def test_a_body_has_a_limit(client: Client, settings: Settings) -> None:
    body = b'{"title": "' + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"}'
    answer = client.post("/api/v1/auth/token/login/", body, "application/json")
    assert answer.status_code == 413
    assert answer.json() == {"detail": "The body is too large."}


def test_every_answer_that_the_docs_give_has_the_test_that_they_name() -> None:
    text = (ROOT / "docs/security.md").read_text()
    tables = re.findall(r"^\| threat .*\n\| ---.*\n((?:\| .*\n)+)", text, re.MULTILINE)
    rows = "".join(tables).splitlines()
    assert len(rows) > 25
    for row in rows:
        named = re.findall(r"`(tests/\S+\.py)(?:::(\w+))?`", row)
        assert named, row
        for file, name in named:
            assert f"def {name or 'test_'}" in (ROOT / file).read_text(), (file, name)
