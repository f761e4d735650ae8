"""`Idempotency-Key`: an upload that is repeated answers the first file."""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from rest_framework.authtoken.models import Token

from accounts.models import User
from footfall import identity
from footfall.common.failpoints import ENVIRONMENT
from tests.support import processes
from tests.uploads.sending import send, stored
from uploads.models import File, UploadKey
from uploads.storage import expiry
from uploads.web import idempotency

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_throttles")]

KEY = "a-key_0123456789"


def send_with(client: Client, key: str = KEY, **more: Any) -> Any:
    return send(client, headers={"Idempotency-Key": key}, **more)


def test_the_same_key_answers_the_first_file(client: Client, media: Path) -> None:
    first = send_with(client, body=b"first", name="first.txt")
    again = send_with(client, body=b"second", name="second.txt")

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert again.json()["name"] == "first.txt"
    assert again.headers["Location"] == first.headers["Location"]
    assert File.objects.count() == len(stored(media)) == 1


def test_both_addresses_know_the_key(client: Client) -> None:
    first = send_with(client)
    assert send_with(client, address="/upload/").json()["id"] == first.json()["id"]
    page = send_with(client, address="/upload/", HTTP_ACCEPT="text/html")
    assert page.status_code == 303
    assert File.objects.count() == 1


def test_another_key_or_client_makes_another_file(client: Client) -> None:
    tokens = [
        Token.objects.create(user=User.objects.create_user(name, f"{name}@b.example", "x")).key
        for name in ("ann", "bob")
    ]
    for more in (
        {},
        {"key": "another-key_0123456789"},
        {"REMOTE_ADDR": "192.0.2.1"},
        {"HTTP_USER_AGENT": "another"},
        *({"HTTP_AUTHORIZATION": f"Token {token}"} for token in tokens),
    ):
        ids = {send_with(client, **more).json()["id"] for _ in range(2)}
        assert len(ids) == 1

    assert File.objects.count() == 6


def test_a_token_is_one_client_wherever_it_is_used(client: Client) -> None:
    user = User.objects.create_user("ann", "ann@b.example", "x")
    token = {"HTTP_AUTHORIZATION": f"Token {Token.objects.create(user=user).key}"}

    first = send_with(client, **token)
    again = send_with(client, REMOTE_ADDR="192.0.2.1", HTTP_USER_AGENT="other", **token)

    assert first.json()["id"] == again.json()["id"]


@pytest.mark.parametrize(
    "key", ["", "short", "x" * 65, "with space 012345", "ключ-0123456789ab", "a" * 16 + "\n"]
)
def test_a_bad_key_is_400(key: str, client: Client) -> None:
    answer = send_with(client, key=key)

    assert answer.status_code == 400
    assert "16 to 64" in answer.json()["Idempotency-Key"][0]
    assert not File.objects.exists()


@pytest.mark.parametrize("key", ["x" * 16, "x" * 64])
def test_keys_of_every_length_are_taken(key: str, client: Client) -> None:
    assert send_with(client, key=key).status_code == 201


def test_what_was_refused_leaves_no_key(client: Client) -> None:
    assert send_with(client, body=b"").status_code == 400
    assert send_with(client, body=b"\x7fELF" + b"\0" * 100).status_code == 415

    assert send_with(client).status_code == 201


def test_a_file_that_was_deleted_is_made_again(client: Client) -> None:
    first = send_with(client).json()["id"]
    File.objects.get().delete()

    assert send_with(client).json()["id"] != first


@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_one_file(media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each looks before the other has committed."""
    find = idempotency.find
    looked: set[int] = set()

    def find_nothing_first(digest: str | None) -> File | None:
        if threading.get_ident() not in looked:
            looked.add(threading.get_ident())
            return None
        return find(digest)

    monkeypatch.setattr(idempotency, "find", find_nothing_first)

    def upload(number: int) -> tuple[int, int]:
        try:
            answer = send_with(Client(), body=b"%d" % number)
            return answer.status_code, answer.json()["id"]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        answers = set(threads.map(upload, range(4)))

    ((status, _),) = answers
    assert status == 201
    assert File.objects.count() == UploadKey.objects.count() == len(stored(media)) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("failpoint", "kept"), [("upload_stored", 0), ("upload_recorded", 0), ("upload_committed", 1)]
)
def test_the_first_may_die_midway(
    failpoint: str, kept: int, environment: dict[str, str], client: Client
) -> None:
    died = processes.run(
        {**environment, "ALLOWED_HOSTS": "testserver", ENVIRONMENT: failpoint}, send_once
    )
    assert died.returncode == -signal.SIGKILL
    assert File.objects.count() == kept

    answer = send_with(client)

    assert answer.status_code == 201
    assert File.objects.count() == 1


def send_once() -> None:
    send_with(Client())


def test_keys_are_kept_for_a_day_whatever_a_clock_does(client: Client) -> None:
    first = send_with(client).json()["id"]
    epoch, now = UploadKey.objects.get().epoch, identity.moment()

    expiry.forget_keys(now._replace(epoch=epoch + 48))  # a day, and a clock that has jumped
    assert send_with(client).json()["id"] == first

    expiry.forget_keys(now._replace(epoch=epoch + 49))
    assert send_with(client).json()["id"] != first


def test_the_schema_has_the_header(client: Client) -> None:
    schema = client.get("/api/v1/schema/?format=json").json()
    (parameter,) = schema["paths"]["/api/v1/upload/"]["post"]["parameters"]

    assert (parameter["name"], parameter["in"]) == ("Idempotency-Key", "header")
    assert parameter["schema"]["pattern"] == "^[A-Za-z0-9_-]{16,64}$"
