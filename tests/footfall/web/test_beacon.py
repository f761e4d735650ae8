"""Pages that a cache has answered report their views, each once."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.core.signing import Signer
from django.test import AsyncRequestFactory, Client, RequestFactory
from pytest_django import Settings

import footfall
from catalog.pages.models import Page
from footfall.flush import flush
from footfall.policies import Exclude
from footfall.registry import counter_field
from footfall.testing import recorded
from footfall.web.beacon import beacon, token_of
from tests.support import databases

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("real_delay")]

SCRIPT = Path(footfall.__file__).parent / "static/counters/beacon.js"


def report(token: str, view_id: object = None, **headers: str) -> Any:
    body = json.dumps({"view": token, "id": str(view_id or uuid4())})
    client = Client(enforce_csrf_checks=True)
    return client.post("/footfall/view/", body, content_type="text/plain", headers=headers)


def test_each_id_counts_once(page: Page) -> None:
    token, same = token_of(page), uuid4()

    answers = [report(token, same), report(token, same), report(token)]

    assert [one.status_code for one in answers] == [204] * 3
    assert answers[0]["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    flush()
    page.refresh_from_db()
    assert page.counter == 2


@pytest.mark.parametrize(
    "body",
    ["", "[]", "{}", "[" * 1000, '{"view": 7, "id": "x"}', b"\xff", '{"view": "a", "id": null}'],
)
def test_what_is_no_report_is_refused(body: str | bytes) -> None:
    answer = Client().post("/footfall/view/", body, content_type="text/plain")

    assert answer.status_code == 400
    assert "Not a report" in answer.json()["detail"]
    assert recorded() == []


def test_a_token_of_no_page_is_refused(page: Page, settings: Settings) -> None:
    token = token_of(page)
    signed = Signer(salt="another")
    for wrong in (token[:-1], f"pages.page:{page.pk + 1}:x", signed.sign(f"pages.page:{page.pk}")):
        assert report(wrong).status_code == 400
    gone = Signer(salt="footfall.beacon").sign("shop.item:7")
    assert "not counted any more" in report(gone).json()["detail"]
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"
    assert report(token).status_code == 204

    assert recorded() == [{"pages.page": [page.pk]}]


def test_a_long_body_and_another_method_are_refused() -> None:
    body = json.dumps({"view": "x" * 2000, "id": str(uuid4())})

    assert Client().post("/footfall/view/", body, content_type="text/plain").status_code == 413
    assert Client().get("/footfall/view/").status_code == 405


def test_users_are_excluded_as_by_a_view(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter_field(Page), "exclude", Exclude(staff=True))
    body = json.dumps({"view": token_of(page), "id": str(uuid4())})
    request = RequestFactory().post("/", body, content_type="text/plain")
    request.user = get_user_model()(pk=1, is_staff=True)

    assert beacon(request).status_code == 204
    assert recorded() == []
    page.delete()
    assert "not there any more" in report(json.loads(body)["view"]).json()["detail"]


@pytest.mark.django_db(transaction=True)
def test_with_both_stores_away_it_is_to_be_sent_again(
    page: Page, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(page)
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"
    databases.take_away(monkeypatch)

    answer = report(token)

    monkeypatch.undo()
    assert answer.status_code == 503


def test_the_request_of_asgi_is_read_as_well(page: Page) -> None:
    body = json.dumps({"view": token_of(page), "id": str(uuid4())})
    request = AsyncRequestFactory().post("/", body, content_type="text/plain")

    assert beacon(request).status_code == 204
    assert recorded() == [{"pages.page": [page.pk]}]


def test_the_script_is_below_a_kilobyte() -> None:
    assert SCRIPT.stat().st_size < 1024
