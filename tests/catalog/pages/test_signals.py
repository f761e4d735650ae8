"""An edit shows in the API at once, even if the page is cached."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import transaction
from django.db.models.signals import pre_save
from django.test import Client
from pytest_django import Settings

from catalog.pages.models import Content, Page, PageContent, Text, Video
from catalog.pages.queries import load_page
from footfall.cache import cached_pages
from footfall.flush import flush
from footfall.models import Invalidation
from tests.support.pages import make_page, make_text, make_video, placements

pytestmark = pytest.mark.django_db

Committing = Callable[[], AbstractContextManager[Any]]


@pytest.fixture
def committing(django_capture_on_commit_callbacks: Any) -> Committing:
    """Runs the on_commit callbacks after its block."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


@pytest.fixture
def pages(client: Client, committing: Committing) -> Iterator[list[Page]]:
    """Two pages with the same film and words on them, read before."""
    with committing():
        film, words = make_video("Film"), make_text("Words")
        pages = [make_page(film, words, title="First"), make_page(words, film, title="Second")]
    assert [seen(client, page) for page in pages * 2] == [
        ("First", ["Film", "Words"]),
        ("Second", ["Words", "Film"]),
    ] * 2
    yield pages
    assert not Invalidation.objects.exists()


def seen(client: Client, page: Page) -> tuple[str, list[str]] | None:
    """Return the titles of the page and of its contents, from the API."""
    response = client.get(f"/api/v1/pages/{page.pk}/")
    if response.status_code == 404:
        return None
    answer = response.json()
    return answer["title"], [content["title"] for content in answer["contents"]]


def rename_page(admin: Client, page: Page) -> None:
    a, b = page.placements.all()
    form = placements((a, a.content, 0), (b, b.content, 1)) | {"title": "Renamed"}
    assert admin.post(f"/admin/pages/page/{page.pk}/change/", form).status_code == 302


def reorder(admin: Client, page: Page) -> None:
    a, b = page.placements.all()
    form = placements((b, b.content, 0), (a, a.content, 1)) | {"title": page.title}
    assert admin.post(f"/admin/pages/page/{page.pk}/change/", form).status_code == 302


def take_off(admin: Client, page: Page) -> None:
    a, b = page.placements.all()
    form = placements((a, a.content, 0), (b, b.content, 1)) | {"title": page.title}
    form |= {"placements-0-DELETE": "on"}
    assert admin.post(f"/admin/pages/page/{page.pk}/change/", form).status_code == 302


def rename_shared_content(admin: Client, page: Page) -> None:
    video = Video.objects.get(title="Film")
    form = {"title": "Movie", "video_url": video.video_url}
    assert admin.post(f"/admin/pages/video/{video.pk}/change/", form).status_code == 302


def delete_shared_content(admin: Client, page: Page) -> None:
    video = Video.objects.get(title="Film")
    admin.post(f"/admin/pages/video/{video.pk}/delete/", {"post": "yes"})
    assert not Content.objects.filter(pk=video.pk).exists()


def delete_contents_at_once(admin: Client, page: Page) -> None:
    chosen = [str(content.pk) for content in Content.objects.filter(placements__page=page)]
    form = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
    assert admin.post("/admin/pages/content/", form).status_code == 302


def delete_page(admin: Client, page: Page) -> None:
    admin.post(f"/admin/pages/page/{page.pk}/delete/", {"post": "yes"})


def delete_pages_at_once(admin: Client, page: Page) -> None:
    form = {"action": "delete_selected", "_selected_action": [str(page.pk)], "post": "yes"}
    assert admin.post("/admin/pages/page/", form).status_code == 302


def move_a_place(admin: Client, page: Page) -> None:
    placement = page.placements.all()[0]
    placement.page = Page.objects.exclude(pk=page.pk).get(title="Second")
    placement.position = 5
    placement.save()


@pytest.mark.parametrize(
    ("edit", "first", "second"),
    [
        (rename_page, ("Renamed", ["Film", "Words"]), ("Second", ["Words", "Film"])),
        (reorder, ("First", ["Words", "Film"]), ("Second", ["Words", "Film"])),
        (take_off, ("First", ["Words"]), ("Second", ["Words", "Film"])),
        (rename_shared_content, ("First", ["Movie", "Words"]), ("Second", ["Words", "Movie"])),
        (delete_shared_content, ("First", ["Words"]), ("Second", ["Words"])),
        (delete_contents_at_once, ("First", []), ("Second", [])),
        (delete_page, None, ("Second", ["Words", "Film"])),
        (delete_pages_at_once, None, ("Second", ["Words", "Film"])),
        (move_a_place, ("First", ["Words"]), ("Second", ["Words", "Film", "Film"])),
    ],
)
def test_edit_shows_at_once(
    client: Client,
    admin_client: Client,
    pages: list[Page],
    committing: Committing,
    edit: Callable[[Client, Page], None],
    first: object,
    second: object,
) -> None:
    with committing():
        edit(admin_client, pages[0])

    assert [seen(client, page) for page in pages] == [first, second]


def test_content_that_becomes_another_type_shows_at_once(
    client: Client, pages: list[Page], committing: Committing
) -> None:
    content = Content.objects.get(title="Film")
    with committing():
        Video.objects.get(pk=content.pk).delete(keep_parents=True)
        text = Text(content_ptr=content, text="It was a film.")
        text.__dict__.update(title="Film", created_at=content.created_at)
        text.save()

    shown = client.get(f"/api/v1/pages/{pages[0].pk}/").json()["contents"][0]
    assert (shown["type"], shown["text"]) == ("text", "It was a film.")


def test_edit_that_is_rolled_back_leaves_nothing(pages: list[Page]) -> None:
    with transaction.atomic():
        pages[0].save()
        transaction.set_rollback(True)


def test_edit_while_redis_is_away_shows_after_its_next_flush(
    client: Client, pages: list[Page], committing: Committing, settings: Settings
) -> None:
    settings.COUNTERS_LOG_URL = "redis://127.0.0.1:1"
    with committing():
        pages[0].title = "Renamed"
        pages[0].save()
    flush()
    assert seen(client, pages[0]) == ("Renamed", ["Film", "Words"])
    assert Invalidation.objects.count() == 1
    settings.COUNTERS_LOG_URL = os.environ["REDIS_URL"]

    flush()

    assert seen(client, pages[0]) == ("Renamed", ["Film", "Words"])


def test_page_that_was_read_before_an_edit_is_not_prepared_after_it(
    client: Client, committing: Committing
) -> None:
    with committing():
        page = make_page(make_text("Words"), title="Old")
    lease = cached_pages.lease(Page, page.pk)
    assert lease is not None
    found = load_page(page.pk)
    with committing():
        page.title = "New"
        page.save()

    cached_pages.fill(lease, found.page, found.contents, b"the old one")

    assert seen(client, page) == seen(client, page) == ("New", ["Words"])


@pytest.mark.django_db(transaction=True)
def test_content_that_moves_is_gone_from_its_old_page_though_that_is_read_meanwhile(
    client: Client,
) -> None:
    """Without a transaction, the signal is sent before the row is written."""
    words = make_text("Words")
    old, new = make_page(words, title="Old"), make_page(title="New")

    def is_read(**kwargs: Any) -> None:
        seen(client, old)

    pre_save.connect(is_read, PageContent)
    try:
        placement = old.placements.get()
        placement.page = new
        placement.save()
    finally:
        pre_save.disconnect(is_read, PageContent)

    assert seen(client, old) == ("Old", [])
    assert seen(client, new) == ("New", ["Words"])
