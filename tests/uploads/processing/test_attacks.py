"""A processor that a file has taken over: what it tries against the rest of the system."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection

from tests.support.files import Upload
from tests.uploads.outcomes import outcome, read, stored
from tests.uploads.processing import attacking_child
from uploads.child import seccomp
from uploads.models import Status
from uploads.processing import sandbox
from uploads.processing.template import Template
from uploads.processing.worker import process_next

BY_NAMESPACE_OR_NEWER_LIBRARY = {"see_a_file_past_python", "see_a_process"}
BY_NAMESPACE = {"start_threads_without_end"}


@pytest.fixture
def attacker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Template]:
    """Have each processor be one that attacks."""
    template = Template(Path(attacking_child.__file__))
    monkeypatch.setattr(sandbox, "template", template)
    yield template
    template.close()


def test_every_attack_fails(
    attacker: Template, upload: Upload, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SECRET_KEY", settings.SECRET_KEY)
    victim = upload(b"Hello\n", name="victim.txt")
    assert process_next()  # not JSON: it attacks nothing
    before = {name: (media / name).read_bytes() for name in stored(media)}
    target = attacking_child.Target(
        worker=os.getpid(),
        redis=redis_address(),
        database=database_socket(),
        stored=victim.file.path,
        folder=str(media),
        secret=settings.SECRET_KEY,
    )
    file = upload(json.dumps(vars(target)).encode())
    before[str(file.file)] = read(file.file)

    assert process_next()

    assert outcome(file) == (Status.PROCESSED, 1, "")
    found = file.metadata
    assert found["failed"] + len(found["succeeded"]) == len(attacking_child.ATTACKS)
    lacking = what_is_not_held(attacker.missing)
    assert {name: how for name, how in found["succeeded"].items() if name not in lacking} == {}
    assert {name: (media / name).read_bytes() for name in stored(media)} == before
    if lacking:
        pytest.skip(f"not held here: {lacking}, without {attacker.missing}")


def what_is_not_held(missing: dict[str, str]) -> set[str]:
    """Return the attacks that succeed on a system that lacks a layer."""
    if "seccomp" in missing:
        return set(attacking_child.ATTACKS)
    if "user namespace" not in missing:
        return set()
    return BY_NAMESPACE | (BY_NAMESPACE_OR_NEWER_LIBRARY if seccomp.fstat_needs_name() else set())


def redis_address() -> str | list[object]:
    url = urlsplit(os.environ["REDIS_URL"])
    return [url.hostname, url.port or 6379] if url.hostname else url.path


def database_socket() -> str | None:
    host = str(connection.settings_dict["HOST"])
    if connection.vendor != "postgresql" or not host.startswith("/"):
        return None
    return next(map(str, Path(host).glob(".s.PGSQL.*[0-9]")), None)
