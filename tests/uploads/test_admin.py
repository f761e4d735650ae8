"""What an operator sees of the files, and does about those that were given up."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from tests.support.files import MakeFile
from uploads.models import File, Kind, Status
from uploads.processing import dead_letters
from uploads.queue.events import encode
from uploads.queue.redis_queue import RedisQueue

LIST, DEAD = "/admin/uploads/file/", "/admin/uploads/file/dead/"


@pytest.fixture
def failed(make_file: MakeFile) -> File:
    return make_file(
        name="film.mp4",
        kind=Kind.VIDEO,
        status=Status.FAILED,
        attempts=5,
        error="Processing failed after 5 attempts.",
        due_at=None,
    )


def bury(queue: RedisQueue, at: int, body: bytes, reason: str) -> str:
    """Add a dead letter to Redis, as the version before did for a file, too; return its id."""
    queue.append(body, at)
    entry = queue.first()
    assert entry
    queue.move_to_dead_letters(entry, reason)
    return queue.dead_letters(1)[0].id


@pytest.fixture
def buried(failed: File, queue: RedisQueue) -> File:
    """The failed file, with its dead letter and those of entries."""
    File.objects.filter(pk=failed.pk).update(dead_reason="OSError: disk")
    bury(queue, 0, b"what?\xff", "not JSON")
    bury(queue, 1_763_683_200_000, encode(10**6), "killed")
    return failed


def letter_of(file: File) -> str:
    return f"file-{file.pk}"


def is_tried_again(file: File) -> bool:
    file.refresh_from_db()
    return (file.status, file.attempts, file.error) == (Status.RECEIVED, 0, "")


def test_the_list_shows_what_became_of_each(
    admin_client: Client, failed: File, make_file: MakeFile
) -> None:
    make_file(name="note.txt", status=Status.PROCESSED)

    page = admin_client.get(LIST).content.decode()
    assert "film.mp4" in page
    assert '<span class="upload-status failed">failed</span>' in page
    assert "Processing failed after 5 attempts." in page
    assert "Dead letters (0)" in page

    page = admin_client.get(LIST, {"status__exact": "processed"}).content.decode()
    assert "note.txt" in page
    assert "film.mp4" not in page
    assert "film.mp4" in admin_client.get(LIST, {"q": "fil"}).content.decode()


def test_a_file_is_shown_and_not_changed(admin_client: Client, failed: File) -> None:
    page = admin_client.get(f"{LIST}{failed.pk}/change/").content.decode()

    assert f'href="/files/{failed.pk}/content/"' in page
    assert str(failed.file) in page
    assert 'name="_save"' not in page
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.post(f"{LIST}{failed.pk}/delete/", {"post": "yes"}).status_code == 403


def test_failed_files_are_tried_again_and_others_are_not(
    admin_client: Client, buried: File, make_file: MakeFile, queue: RedisQueue
) -> None:
    processed = make_file(status=Status.PROCESSED, attempts=1)
    chosen = {"action": "retry", "_selected_action": [buried.pk, processed.pk]}

    page = admin_client.post(LIST, chosen, follow=True).content.decode()

    assert "1 file will be processed again." in page
    assert is_tried_again(buried)
    processed.refresh_from_db()
    assert (processed.status, processed.attempts) == (Status.PROCESSED, 1)
    assert dead_letters.of_files(10) == []
    assert {letter.reason for letter in queue.dead_letters()} == {"not JSON", "killed"}


def test_dead_letters_say_what_they_were(admin_client: Client, buried: File) -> None:
    page = admin_client.get(DEAD).content.decode()

    assert f'href="{LIST}{buried.pk}/change/"' in page
    assert "OSError: disk" in page
    assert "what?\\xff" in page
    assert "no such file" in page
    assert "3 dead letters" in page
    assert "Dead letters (3)" in admin_client.get(LIST).content.decode()


def test_a_letter_is_tried_again_or_dismissed(
    admin_client: Client, buried: File, queue: RedisQueue
) -> None:
    everything = [letter_of(buried), *(letter.id for letter in queue.dead_letters())]
    answer = admin_client.post(DEAD, {"letter": letter_of(buried), "retry": "1"}, follow=True)
    assert "1 file will be processed again." in answer.content.decode()
    assert is_tried_again(buried)
    assert dead_letters.count() == 2

    answer = admin_client.post(DEAD, {"letter": everything, "dismiss": "1"}, follow=True)
    assert "2 dead letters were dismissed." in answer.content.decode()
    assert "No dead letters." in answer.content.decode()


def test_a_file_that_is_dismissed_stays_failed(admin_client: Client, buried: File) -> None:
    admin_client.post(DEAD, {"letter": [letter_of(buried), "file-x", "file-"], "dismiss": "1"})

    buried.refresh_from_db()
    assert (buried.status, buried.dead_reason) == (Status.FAILED, "")
    assert buried.error


def test_a_letter_of_the_version_before_is_tried_again(
    admin_client: Client, failed: File, queue: RedisQueue
) -> None:
    letter = bury(queue, 1_763_683_200_000, encode(failed.pk), "OSError: disk")
    assert "OSError: disk" in admin_client.get(DEAD).content.decode()

    admin_client.post(DEAD, {"letter": letter, "retry": "1"})

    assert is_tried_again(failed)
    assert dead_letters.count() == 0


@pytest.mark.parametrize("at", [10**18, 253_402_300_800_000, 9_999_999_999_999_999])
def test_a_letter_with_an_absurd_time_is_shown(
    admin_client: Client, queue: RedisQueue, at: int
) -> None:
    bury(queue, at, b"what?", "not JSON")

    answer = admin_client.get(DEAD)

    assert answer.status_code == 200
    assert "what?" in answer.content.decode()


def test_a_file_that_waits_says_for_what(admin_client: Client, make_file: MakeFile) -> None:
    file = make_file(error="The storage is unavailable. The file waits for it.", outages=7)

    assert "The file waits for it." in admin_client.get(LIST).content.decode()
    page = admin_client.get(f"{LIST}{file.pk}/change/").content.decode()
    assert "Outages" in page


def test_while_redis_is_away_the_pages_say_so(
    admin_client: Client, failed: File, settings: Settings
) -> None:
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"

    assert "Redis does not answer" in admin_client.get(DEAD).content.decode()
    assert "Dead letters" in admin_client.get(LIST).content.decode()
    chosen = {"action": "retry", "_selected_action": [failed.pk]}
    page = admin_client.post(LIST, chosen, follow=True).content.decode()
    assert "Their dead letters stay" in page
    assert is_tried_again(failed)


def test_who_may_only_look_decides_nothing(
    client: Client, buried: File, queue: RedisQueue, django_user_model: type[User]
) -> None:
    user = django_user_model.objects.create_user("looker", "a@b.example", "x", is_staff=True)
    client.force_login(user)
    assert client.get(DEAD).status_code == 403

    user.user_permissions.add(Permission.objects.get(codename="view_file"))
    page = client.get(DEAD).content.decode()
    assert "OSError: disk" in page
    assert "Dismiss" not in page
    assert 'value="retry"' not in client.get(LIST).content.decode()
    assert client.post(DEAD, {"letter": letter_of(buried)}).status_code == 403
