"""The placements of contents in the form of a page."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from catalog.pages.models import Content, Page, Text, Video
from tests.catalog.pages.quotes.models import Quote
from tests.support.pages import (
    make_audio,
    make_contents,
    make_page,
    make_text,
    make_video,
    placements,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_forms")]


def test_page_is_made_with_contents(admin_client: Client) -> None:
    a, b = make_contents(2)
    form = placements((None, b, 0), (None, a, 1)) | {"title": "New"}
    assert admin_client.post("/admin/pages/page/add/", form).status_code == 302
    assert contents_of(Page.objects.get(title="New")) == [b.pk, a.pk]


def test_page_is_put_into_another_order(admin_client: Client) -> None:
    page = make_page(*make_contents(3))
    a, b, c = page.placements.all()
    post(admin_client, page, placements((c, c.content, 0), (a, a.content, 1), (b, b.content, 2)))
    assert list(page.placements.all()) == [c, a, b]


def test_change_shows_in_the_api_at_once(
    admin_client: Client, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    page = make_page(make_video("Waves"), make_text("Salt"))
    waves, salt = page.placements.all()
    assert titles(admin_client, page) == ["Waves", "Salt"]
    rows = placements(
        (waves, waves.content, 2), (salt, salt.content, 0), (None, make_audio("Gulls"), 1)
    )
    with django_capture_on_commit_callbacks(execute=True):
        post(admin_client, page, rows | {"title": "Sea"})
    assert titles(admin_client, page) == ["Salt", "Gulls", "Waves"]
    assert admin_client.get(f"/api/v1/pages/{page.pk}/").json()["title"] == "Sea"


def test_place_that_is_removed_leaves_its_content(admin_client: Client) -> None:
    page = make_page(*make_contents(2))
    a, b = page.placements.all()
    rows = placements((a, a.content, 0), (b, b.content, 1))
    post(admin_client, page, rows | {"placements-0-DELETE": "on"})
    assert list(page.placements.all()) == [b]
    assert Content.objects.filter(pk=a.content_id).exists()


def test_content_is_deleted_on_request(admin_client: Client) -> None:
    a, b = make_contents(2)
    page, other = make_page(a, b, a), make_page(b, a)
    rows = placements(
        *((placement, placement.content, placement.position) for placement in page.placements.all())
    )
    wanted = {"placements-0-DELETE": "on", "placements-0-delete_content": "on"}
    post(admin_client, page, rows | wanted)
    assert contents_of(page) == contents_of(other) == [b.pk]
    assert not Video.objects.filter(pk=a.pk).exists()
    history = admin_client.get(f"/admin/pages/page/{page.pk}/history/").content.decode()
    assert "Content 0" in history


def test_content_is_not_deleted_without_permission(client: Client) -> None:
    editor = make_editor("view_page", "change_page", "delete_pagecontent", "change_pagecontent")
    client.force_login(editor)
    page = make_page(make_text())
    (placement,) = page.placements.all()
    address = f"/admin/pages/page/{page.pk}/change/"
    assert "delete_content" not in client.get(address).content.decode()
    wanted = {"placements-0-DELETE": "on", "placements-0-delete_content": "on"}
    form = placements((placement, placement.content, 0)) | wanted | {"title": page.title}
    assert client.post(address, form).status_code == 403
    assert list(page.placements.all()) == [placement]


def test_page_is_read_only_without_permission_to_change_it(client: Client) -> None:
    client.force_login(make_editor("view_page", "view_pagecontent", "view_content"))
    page = make_page(make_text("Salt"))
    html = client.get(f"/admin/pages/page/{page.pk}/change/").content.decode()
    assert "Salt" in html
    for handle in ("drag-handler", "djn-delete-handler", "id_add_content", "placements-0-content"):
        assert handle not in html, handle


def test_form_with_an_error_still_shows_the_contents(admin_client: Client) -> None:
    page = make_page(make_audio("Gulls"))
    (gulls,) = page.placements.all()
    rows = placements((gulls, gulls.content, 0), (None, make_text("Salt"), 1)) | {"title": ""}
    response = admin_client.post(f"/admin/pages/page/{page.pk}/change/", rows)
    html = response.content.decode()
    assert [shown in html for shown in ("Gulls", "128 kbit/s", "Salt", "Words,")] == [True] * 4


def test_content_that_was_deleted_meanwhile_is_an_error(admin_client: Client) -> None:
    page, salt = make_page(), make_text("Salt")
    rows = placements((None, salt, 0)) | {"title": page.title}
    salt.delete()
    rows["placements-0-content"] = "123456"
    response = admin_client.post(f"/admin/pages/page/{page.pk}/change/", rows)
    assert "That choice is not one of the available choices." in response.content.decode()


@pytest.mark.parametrize(
    ("content", "glance"),
    [
        (Video(video_url="https://example.com/a.mp4"), 'href="https://example.com/a.mp4"'),
        (Text(text="It dries white. " * 100), "It dries white. It dries white. It dries"),
        (Text(text="<script>"), "&lt;script&gt;"),
        (Quote(author="Heraclitus"), "Heraclitus"),
    ],
)
def test_block_of_a_content(admin_client: Client, content: Content, glance: str) -> None:
    content.title = "Panta rhei"
    content.save()
    Content.objects.update(counter=1234567)
    make_page(content)
    make_page(content, content)

    block = admin_client.get(f"/admin/pages/content/{content.pk}/block/").content.decode()

    for shown in ("Panta rhei", str(content._meta.verbose_name), "1,234,567", glance, "on 2 pages"):
        assert shown in block
    assert len(block) < 1800


def test_address_that_runs_a_script_is_no_link(admin_client: Client) -> None:
    video = Video.objects.create(title="Waves", video_url="javascript:alert(1)")
    block = admin_client.get(f"/admin/pages/content/{video.pk}/block/").content.decode()
    assert "javascript:alert(1)" in block
    assert 'href="javascript' not in block


def test_block_is_for_those_who_may_see_contents(client: Client) -> None:
    address = f"/admin/pages/content/{make_text().pk}/block/"
    assert client.get(address).status_code == 302
    client.force_login(make_editor("view_page"))
    assert client.get(address).status_code == 403
    client.force_login(make_editor("view_content"))
    assert client.get(address).status_code == 200
    assert client.get("/admin/pages/content/123456/block/").status_code == 404


def make_editor(*permissions: str) -> User:
    number = User.objects.count()
    editor = User.objects.create_user(f"e{number}", f"e{number}@example.com", is_staff=True)
    editor.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return editor


def post(client: Client, page: Page, form: Mapping[str, str]) -> None:
    response = client.post(f"/admin/pages/page/{page.pk}/change/", {"title": page.title, **form})
    assert response.status_code == 302


def contents_of(page: Page) -> list[int]:
    return [placement.content_id for placement in page.placements.all()]


def titles(client: Client, page: Page) -> list[str]:
    shown = client.get(f"/api/v1/pages/{page.pk}/").json()["contents"]
    return [content["title"] for content in shown]
