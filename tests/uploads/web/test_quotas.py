"""What one client, and all together, may store; and a disk that is nearly full."""

from collections import namedtuple
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from tests.uploads.sending import send, stored
from uploads.models import File
from uploads.web import quotas

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_throttles")]

Free = namedtuple("Free", "f_files f_favail f_bavail f_blocks f_frsize")


@pytest.fixture(autouse=True)
def _sum_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "_total", quotas._Total())


def set_free(
    monkeypatch: pytest.MonkeyPatch, free: int, inodes: int = 10**6, total: int = 10**9
) -> None:
    monkeypatch.setattr("os.statvfs", lambda path: Free(10**6, inodes, free, total, 1))


def test_a_client_stores_so_many_files(client: Client, settings: Settings, media: Path) -> None:
    settings.UPLOADS_CLIENT_FILES = 2
    assert [send(client).status_code for _ in range(3)] == [201, 201, 429]

    refused = send(client)
    assert refused.json() == {
        "detail": "You have as many files as one client may store: 2. Delete some first."
    }
    assert refused.headers["Retry-After"] == "3600"
    assert len(stored(media)) == 2
    assert send(client, REMOTE_ADDR="192.0.2.9").status_code == 201
    client.force_login(User.objects.create_user("a", "a@b.example", "x"))
    assert send(client).status_code == 201

    File.objects.first().delete()  # type: ignore[union-attr]
    client.logout()
    File.objects.filter(owner=None).last().delete()  # type: ignore[union-attr]
    assert send(client).status_code == 201


def test_a_client_stores_so_many_bytes(client: Client, settings: Settings) -> None:
    settings.UPLOADS_CLIENT_BYTES = 2_000

    assert send(client, b"x" * 1_000).status_code == 201
    refused = send(client, b"x" * 1_000)

    assert refused.status_code == 429
    assert "Your files would take more than the 2.0\xa0KB" in refused.json()["detail"]
    assert send(client, b"x" * 100).status_code == 201


def test_all_together_store_so_many_bytes(client: Client, settings: Settings) -> None:
    settings.UPLOADS_TOTAL_BYTES = 2_000
    assert send(client, b"x" * 1_500).status_code == 201
    quotas._total._summed_at = float("-inf")

    refused = send(client, b"x" * 1_000, REMOTE_ADDR="192.0.2.9")

    assert refused.status_code == 507
    assert refused.json()["detail"].startswith("The storage is full.")
    assert refused.headers["Retry-After"] == "60"


def test_a_disk_that_is_nearly_full_receives_nothing(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch, media: Path
) -> None:
    settings.UPLOADS_MIN_FREE_BYTES = 10_000
    set_free(monkeypatch, 10_100)

    refused = send(client, b"x" * 1_000)

    assert refused.status_code == 507
    assert not stored(media)
    set_free(monkeypatch, 50_000)
    assert send(client, b"x" * 1_000).status_code == 201
    set_free(monkeypatch, 50_000, inodes=10)
    assert send(client).status_code == 507


def test_a_small_disk_is_not_taken_for_a_full_one(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an object store, bodies are received in `/tmp`, which may be smaller than the limit."""
    settings.UPLOADS_MIN_FREE_BYTES = 1_000_000
    set_free(monkeypatch, 90_000, total=100_000)
    assert send(client).status_code == 201

    set_free(monkeypatch, 5_000, total=100_000)
    assert send(client).status_code == 507


def test_a_disk_that_fills_up_meanwhile_ends_the_upload(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch, media: Path
) -> None:
    """Others write at the same time, or the length of the body was not known."""
    settings.UPLOADS_MIN_FREE_BYTES = 10_000
    answers = iter([10**9, 10**9, 9_000, 9_000])
    monkeypatch.setattr(quotas, "find_disk", lambda: quotas.Disk(next(answers), 10**9))

    refused = send(client, b"x" * 1_000_000)

    assert refused.status_code == 507
    assert not stored(media)
    assert not File.objects.exists()


def test_without_limits_nothing_is_asked(
    client: Client,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: object,
) -> None:
    settings.UPLOADS_CLIENT_FILES = settings.UPLOADS_CLIENT_BYTES = 0
    settings.UPLOADS_TOTAL_BYTES = settings.UPLOADS_MIN_FREE_BYTES = 0
    set_free(monkeypatch, 0)

    assert send(client).status_code == 201


def test_browsers_get_the_reason_on_a_page(client: Client, settings: Settings) -> None:
    settings.UPLOADS_CLIENT_FILES = 1
    send(client)

    page = send(client, address="/upload/", HTTP_ACCEPT="text/html")

    assert page.status_code == 429
    assert "as many files as one client may store: 1." in page.content.decode()


def test_no_address_is_stored(client: Client) -> None:
    send(client, REMOTE_ADDR="192.0.2.77")
    send(client, REMOTE_ADDR="192.0.2.78")
    client.force_login(user := User.objects.create_user("a", "a@b.example", "x"))
    send(client)

    first, second, third = File.objects.order_by("pk").values_list("sender", flat=True)
    assert first != second
    assert "192.0.2" not in first
    assert third == f"u{user.pk}"


def test_the_page_says_for_how_long_a_file_is_kept(client: Client, settings: Settings) -> None:
    page = client.get("/upload/", HTTP_ACCEPT="text/html").content.decode()
    assert "deleted after 7 days" in page

    client.force_login(User.objects.create_user("a", "a@b.example", "x"))
    page = client.get("/upload/", HTTP_ACCEPT="text/html").content.decode()
    assert "deleted after" not in page
    assert client.get("/api/v1/upload/").json()["anonymous_days"] == 7
