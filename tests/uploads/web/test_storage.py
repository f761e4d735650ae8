"""Files in an object store: a real HTTP server that speaks S3."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import requests
from django.core.files.storage import default_storage
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from project import backends
from tests.support.files import png
from tests.uploads.sending import send
from uploads.models import File
from uploads.processing.worker import process_next

# boto3 and moto are not ready for the newest Python; nothing of ours is silenced.
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(boto|moto|werkzeug|flask|responses).*"),
]

BUCKET = "footfall-files"


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The address of an object store."""
    from moto.server import ThreadedMotoServer  # takes 0.2 s, in every process

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def bucket(store: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The service keeps its files there, as the environment tells it."""
    import boto3

    for name, value in {
        "S3_BUCKET": BUCKET,
        "S3_ENDPOINT_URL": store,
        "S3_ACCESS_KEY_ID": "a-key",
        "S3_SECRET_ACCESS_KEY": "a-secret",
    }.items():
        monkeypatch.setenv(name, value)
    settings.STORAGES = {**settings.STORAGES, "default": backends.storage()}
    keys = {"aws_access_key_id": "a-key", "aws_secret_access_key": "a-secret"}
    with closing(boto3.client("s3", endpoint_url=store, region_name="us-east-1", **keys)) as s3:
        s3.create_bucket(Bucket=BUCKET)
        yield boto3.resource("s3", endpoint_url=store, region_name="us-east-1", **keys).Bucket(
            BUCKET
        )


def test_file_lives_in_the_bucket(
    client: Client, bucket: Any, django_capture_on_commit_callbacks: Any
) -> None:
    body = png((600, 400)) + b"\0" * 9_000_000  # sent in two parts
    with django_capture_on_commit_callbacks(execute=True):
        sent = send(client, body, "Sea and sky.png").json()
    (stored,) = bucket.objects.all()
    assert hashlib.sha256(stored.get()["Body"].read()).hexdigest() == sent["sha256"]

    assert process_next()
    file = File.objects.get()
    assert file.status == "processed", file.error
    assert len(list(bucket.objects.all())) == 2

    response = client.get(f"/files/{file.pk}/content/")
    assert response.status_code == 302
    assert response.headers["Cache-Control"] == "no-store"
    downloaded = requests.get(response.headers["Location"], timeout=10)
    assert downloaded.content == body
    assert downloaded.headers["Content-Type"] == "image/png"
    assert downloaded.headers["Content-Disposition"] == 'inline; filename="Sea and sky.png"'
    head = client.head(f"/files/{file.pk}/content/").headers["Location"]
    assert requests.head(head, timeout=10).status_code == 200
    thumbnail = client.get(f"/files/{file.pk}/thumbnail/").headers["Location"]
    assert requests.get(thumbnail, timeout=10).content[:4] == b"RIFF"

    client.force_login(User.objects.create_superuser("root", "root@example.com"))
    with django_capture_on_commit_callbacks(execute=True):
        assert client.delete(f"/api/v1/files/{file.pk}/").status_code == 204
    assert list(bucket.objects.all()) == []


@pytest.mark.usefixtures("bucket")
def test_store_that_is_away_is_503(client: Client, settings: Settings) -> None:
    away = {**settings.STORAGES["default"]["OPTIONS"], "endpoint_url": "http://127.0.0.1:1"}
    backend = settings.STORAGES["default"]["BACKEND"]
    default = {"BACKEND": backend, "OPTIONS": away}
    settings.STORAGES = {**settings.STORAGES, "default": default}
    response = send(client)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert not File.objects.exists()


def test_files_are_on_the_disk_by_default() -> None:
    assert default_storage.path("files")
