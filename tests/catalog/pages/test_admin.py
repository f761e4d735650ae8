"""The forms of the admin of pages and contents; tests/browser uses a browser."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from catalog.pages.models import Content, Page, PageContent, Video
from tests.support.pages import make_audio, make_contents, make_page, make_text, make_video

pytestmark = pytest.mark.django_db

MODELS = ("page", "content", "video", "audio", "text")


@pytest.mark.parametrize("model", MODELS)
def test_lists_and_forms_open(admin_client: Client, model: str) -> None:
    page = make_page(make_video(), make_audio(), make_text())
    video, audio, text = contents_of(page)
    things = {"page": page, "video": video, "audio": audio, "text": text}
    for address in ("", "add/", "?q=a"):
        assert admin_client.get(f"/admin/pages/{model}/{address}").status_code == 200
    thing = things.get(model, text)
    for address in ("change/", "delete/", "history/"):
        response = admin_client.get(f"/admin/pages/{model}/{thing.pk}/{address}", follow=True)
        assert response.status_code == 200


def test_counters_are_shown_and_not_asked_for(admin_client: Client) -> None:
    page = make_page(make_video())
    Page.objects.update(counter=4321)
    Content.objects.update(counter=4321)
    for address in (f"page/{page.pk}", f"video/{contents_of(page)[0].pk}"):
        html = admin_client.get(f"/admin/pages/{address}/change/").content.decode()
        assert "4,321" in html
        assert not re.search(r'name="[^"]*counter"', html)


@pytest.mark.parametrize("address", ["page/", "content/", "video/", "page/{page}/change/"])
def test_rows_take_no_query_each(
    admin_client: Client,
    django_assert_num_queries: DjangoAssertNumQueries,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    address: str,
) -> None:
    page = make_page(*make_contents(3))
    address = f"/admin/pages/{address.format(page=page.pk)}"
    admin_client.get(address)
    with django_assert_max_num_queries(12) as few:
        admin_client.get(address)
    for position, content in enumerate(make_contents(30)):
        PageContent.objects.create(page=page, content=content, position=10 + position)
        make_page()
    with django_assert_num_queries(len(few)):
        admin_client.get(address)


def test_content_is_added_by_its_type(admin_client: Client) -> None:
    chooser = admin_client.get("/admin/pages/content/add/?_popup=1&_to_field=id").content.decode()
    for model in ("video", "audio", "text"):
        assert f"/admin/pages/{model}/add/?_popup=1&amp;_to_field=id" in chooser
    assert "breadcrumbs" not in chooser

    form = {"title": "New", "video_url": "http://example.com/a.mp4"}
    response = admin_client.post(
        "/admin/pages/video/add/?_popup=1&_to_field=id", form | {"_popup": "1", "_to_field": "id"}
    )
    made = Video.objects.get(title="New")
    assert f"&quot;value&quot;: &quot;{made.pk}&quot;" in response.content.decode()


def test_content_is_changed_in_the_admin_of_its_type(admin_client: Client) -> None:
    audio = make_audio()
    response = admin_client.get(f"/admin/pages/content/{audio.pk}/change/?_popup=1")
    assert response.status_code == 302
    assert response.headers["Location"] == f"/admin/pages/audio/{audio.pk}/change/?_popup=1"


@pytest.mark.parametrize("pk", ["0", "x", str(2**63)])
def test_content_that_does_not_exist_leads_home(admin_client: Client, pk: str) -> None:
    response = admin_client.get(f"/admin/pages/content/{pk}/change/", follow=True)
    assert response.redirect_chain == [("/admin/", 302)]


def test_contents_of_all_types_are_deleted_at_once(admin_client: Client) -> None:
    doomed, kept = make_contents(6), make_contents(1)
    page = make_page(*doomed, *kept)
    form = {
        "action": "delete_selected",
        "_selected_action": [str(content.pk) for content in doomed],
    }
    asked = admin_client.post("/admin/pages/content/", form)
    assert asked.status_code == 200
    assert admin_client.post("/admin/pages/content/", form | {"post": "yes"}).status_code == 302
    assert contents_of(page) == kept
    assert not Content.objects.filter(pk__in=[content.pk for content in doomed]).exists()


def test_chooser_offers_what_the_editor_may_add(client: Client) -> None:
    editor = User.objects.create_user("editor", "editor@example.com", "secret", is_staff=True)
    client.force_login(editor)
    assert client.get("/admin/pages/content/add/").status_code == 403

    editor.user_permissions.add(Permission.objects.get(codename="add_audio"))
    chooser = client.get("/admin/pages/content/add/").content.decode()
    assert "/admin/pages/audio/add/" in chooser
    assert "/admin/pages/video/add/" not in chooser


def contents_of(page: Page) -> list[Content]:
    return [
        Content.objects.get_subclass(pk=placement.content_id) for placement in page.placements.all()
    ]
