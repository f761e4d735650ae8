"""Scripts of the origins that are allowed may read the API, and those of no others."""

import json

import pytest
from django.test import Client
from pytest_django import Settings

from footfall.flush import flush_all
from tests.support.pages import make_page, make_text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_log")]

ORIGIN = "https://www.example.com"
ALLOWED = "Access-Control-Allow-Origin"


@pytest.fixture
def allowed(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    ("address", "status"),
    [("/api/v1/pages/", 200), ("/api/v1/pages/987654321/", 404), ("/api/v1/auth/users/me/", 401)],
)
def test_whatever_is_answered_can_be_read(client: Client, address: str, status: int) -> None:
    answer = client.get(address, headers={"Origin": ORIGIN})

    assert (answer.status_code, answer.headers[ALLOWED]) == (status, ORIGIN)
    assert "origin" in answer.headers["Vary"]
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    "origin",
    [
        "http://www.example.com",
        "https://example.com",
        f"{ORIGIN}.evil.example",
        f"{ORIGIN}:8443",
        "null",
        "https://[",
        "x",
    ],
)
def test_other_origins_are_not_allowed(client: Client, origin: str) -> None:
    answer = client.get("/api/v1/pages/", headers={"Origin": origin})

    assert answer.status_code == 200
    assert ALLOWED not in answer.headers
    assert "origin" in answer.headers["Vary"]


@pytest.mark.usefixtures("allowed")
def test_only_the_api_is_for_other_origins(client: Client) -> None:
    for address in ("/", "/files/", "/upload/", "/admin/login/"):
        assert ALLOWED not in client.get(address, headers={"Origin": ORIGIN}).headers


def test_by_default_no_origin_is_allowed(client: Client) -> None:
    answer = client.get("/api/v1/pages/", headers={"Origin": ORIGIN})

    assert ALLOWED not in answer.headers
    assert "origin" not in answer.headers.get("Vary", "")


def test_all_origins_may_be_allowed(client: Client, settings: Settings) -> None:
    settings.CORS_ALLOW_ALL_ORIGINS = True

    assert client.get("/api/v1/pages/", headers={"Origin": ORIGIN}).headers[ALLOWED] == "*"


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    ("method", "header"),
    [("POST", "content-type"), ("GET", "idempotency-key"), ("PUT", "if-match")],
)
def test_a_preflight_is_answered_and_counts_nothing(
    client: Client, method: str, header: str
) -> None:
    page = make_page(make_text())
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": header}

    answer = client.options(f"/api/v1/pages/{page.pk}/", headers={"Origin": ORIGIN, **asked})

    assert (answer.status_code, answer.headers[ALLOWED]) == (200, ORIGIN)
    assert method in answer.headers["Access-Control-Allow-Methods"]
    assert header in answer.headers["Access-Control-Allow-Headers"]
    assert flush_all() == 0


def test_a_beacon_of_any_origin_counts(client: Client) -> None:
    """It needs no preflight, and its script does not read the answer."""
    page = make_page(make_text())
    body = json.dumps({"views": [{"page": page.pk, "id": "0" * 32}]})

    answer = client.post(
        "/api/v1/views/", body, content_type="text/plain", headers={"Origin": "https://any.example"}
    )

    assert (answer.status_code, flush_all()) == (202, 1)
