"""Two editors, or one in two tabs, change the same page or content."""

import html
import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from catalog.pages.models import Content, Page, PageContent
from tests.support.books import make_book
from tests.support.pages import make_audio, make_page, make_text, make_video

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_forms")]

Fields = dict[str, str]


@pytest.fixture
def anna() -> Client:
    return sign_in("anna")


@pytest.fixture
def boris() -> Client:
    return sign_in("boris")


def sign_in(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser(name, f"{name}@example.com"))
    return client


def address(page: Page) -> str:
    return f"/admin/pages/page/{page.pk}/change/"


def fields_in(answer: str) -> Fields:
    """Return what a browser without a script would send of the form in a page."""
    (form,) = re.findall(r'<form [^>]*id="\w+_form".*?</form>', answer, re.DOTALL)
    fields = {}
    for tag in re.findall(r"<input [^>]*>", form):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        is_sent = attributes.get("type") not in ("submit", "checkbox") or " checked" in tag
        name = attributes.get("name", "__prefix__")
        if is_sent and "__prefix__" not in name:
            fields[name] = html.unescape(attributes.get("value", ""))
    areas = re.findall(r'<textarea name="([^"]*)"[^>]*>(.*?)</textarea>', form, re.DOTALL)
    return fields | {name: html.unescape(text.removeprefix("\n")) for name, text in areas}


def opened(client: Client, where: str) -> Fields:
    return fields_in(client.get(where).content.decode())


def refused(client: Client, where: str, fields: Fields) -> tuple[Fields, str]:
    """Send a form that is not saved; return what it then has, and the text of the page."""
    response = client.post(where, fields)
    assert response.status_code == 200
    page = html.unescape(response.content.decode())
    assert 'role="alert"' in page
    assert "Please correct" not in page
    return fields_in(response.content.decode()), page


def save(client: Client, where: str, fields: Fields) -> None:
    response = client.post(where, fields)
    assert response.status_code == 302, response.content.decode()


def row_of(fields: Fields, content: Content) -> str:
    (prefix,) = (
        name.removesuffix("content")
        for name, value in fields.items()
        if name.endswith("-content") and value == str(content.pk)
    )
    return prefix


def titles(page: Page) -> list[str]:
    rows = PageContent.objects.filter(page=page).order_by("position", "pk")
    return list(rows.values_list("content__title", flat=True))


def title_of(page: Page) -> str:
    return Page.objects.get(pk=page.pk).title


def test_placement_that_another_removed_is_left_off(anna: Client, boris: Client) -> None:
    waves, salt = make_video("Waves"), make_text("Salt")
    page = make_page(waves, salt, title="Sea")
    mine, theirs = opened(anna, address(page)), opened(boris, address(page))
    save(boris, address(page), theirs | {row_of(theirs, waves) + "DELETE": "on"})

    mine, shown = refused(anna, address(page), mine | {"title": "The sea"})
    assert "“Waves” was removed from the page." in shown
    assert re.search(r"changed by boris \(\d\d/\d\d/\d{4} ", shown)
    assert mine["title"] == "The sea"
    assert titles(page) == ["Salt"]

    save(anna, address(page), mine)
    assert title_of(page) == "The sea"
    assert titles(page) == ["Salt"]


def test_placement_that_another_removed_is_added_again(anna: Client, boris: Client) -> None:
    waves, gulls, salt = make_video("Waves"), make_audio("Gulls"), make_text("Salt")
    page = make_page(waves, gulls, salt)
    mine, theirs = opened(anna, address(page)), opened(boris, address(page))
    save(boris, address(page), theirs | {row_of(theirs, gulls) + "DELETE": "on"})
    mine, shown = refused(anna, address(page), mine)
    again = shown[: shown.index("Another editor removed it")].rpartition("placement-move")[2]
    assert "Gulls" in again
    assert "128 kbit/s" in again
    save(anna, address(page), mine | {row_of(mine, gulls) + "add_again": "on"})
    assert titles(page) == ["Waves", "Gulls", "Salt"]


def test_content_that_another_deleted_is_told(anna: Client, boris: Client) -> None:
    waves, salt = make_video("Waves"), make_text("Salt")
    page = make_page(waves, salt)
    mine = opened(anna, address(page))
    save(boris, f"/admin/pages/video/{waves.pk}/delete/", {"post": "yes"})
    mine, shown = refused(anna, address(page), mine | {"title": "Mine"})
    assert "“Waves” was deleted. boris (" in shown
    save(anna, address(page), mine)
    assert titles(page) == ["Salt"]


def test_what_another_added_and_renamed_stays(anna: Client, boris: Client) -> None:
    waves, salt, gulls, dunes = map(make_text, ("Waves", "Salt", "Gulls", "Dunes"))
    page = make_page(waves, salt, title="Sea")
    mine, theirs = opened(anna, address(page)), opened(boris, address(page))
    theirs |= new_row(2, gulls, position=0) | {"placements-0-position": "1"}
    theirs |= {"placements-1-position": "2", "title": "Ocean"}
    save(boris, address(page), theirs)

    mine, shown = refused(anna, address(page), mine | new_row(2, dunes, position=2))
    assert "“Gulls” was added to the page." in shown
    assert "Title is now “Ocean”." in shown
    save(anna, address(page), mine)
    assert titles(page) == ["Gulls", "Waves", "Salt", "Dunes"]
    assert title_of(page) == "Ocean"


def test_order_of_the_one_who_changed_it_wins(anna: Client, boris: Client) -> None:
    a, b, c = map(make_text, "abc")
    page = make_page(a, b, c)
    mine, theirs = opened(anna, address(page)), opened(boris, address(page))
    save(boris, address(page), theirs | in_order(theirs, c, a, b))
    mine, shown = refused(anna, address(page), mine | {"title": "Mine"})
    assert "The order of the contents was changed." in shown
    save(anna, address(page), mine)
    assert titles(page) == ["c", "a", "b"]  # she had left it alone

    mine, theirs = opened(anna, address(page)), opened(boris, address(page))
    save(boris, address(page), theirs | in_order(theirs, a, b, c))
    mine, _ = refused(anna, address(page), mine | in_order(mine, b, a, c))
    save(anna, address(page), mine)
    assert titles(page) == ["b", "a", "c"]


def test_third_change_is_told_again(anna: Client, boris: Client) -> None:
    page = make_page(make_text("Salt"))
    mine = opened(anna, address(page)) | {"title": "Mine"}
    for name in ("One", "Two"):
        save(boris, address(page), opened(boris, address(page)) | {"title": name})
        mine, shown = refused(anna, address(page), mine)
        assert f"Title is now “{name}”." in shown
        assert mine["title"] == "Mine"
    save(anna, address(page), mine)
    assert title_of(page) == "Mine"


def test_page_that_was_deleted_is_offered_as_a_new_one(anna: Client, boris: Client) -> None:
    waves, salt = make_video("Waves"), make_text("Salt")
    page = make_page(waves, salt, title="Sea")
    mine = opened(anna, address(page)) | {"title": "The sea"}
    save(boris, f"/admin/pages/page/{page.pk}/delete/", {"post": "yes"})
    waves.delete()
    mine, shown = refused(anna, address(page), mine)
    assert "deleted by boris (" in shown
    assert 'action="/admin/pages/page/add/"' in shown
    save(anna, "/admin/pages/page/add/", mine)
    made = Page.objects.latest("pk")
    assert (made.title, titles(made)) == ("The sea", ["Salt"])


def test_form_without_a_snapshot_that_names_a_removed_placement(anna: Client) -> None:
    waves, salt = make_video("Waves"), make_text("Salt")
    page = make_page(waves, salt)
    mine = opened(anna, address(page))
    page.placements.get(content=waves).delete()
    del mine["_snapshot"]
    mine, _ = refused(anna, address(page), mine)
    save(anna, address(page), mine)
    assert titles(page) == ["Salt"]


@pytest.mark.parametrize(
    "snapshot",
    ["", "[]", "{", "[" * 100_000, '{"placements": [[], 7, [null, {}, []]], "fields": [1]}', "\0"],
)
def test_snapshot_that_no_form_had(anna: Client, snapshot: str) -> None:
    page = make_page(make_text("Salt"))
    mine = opened(anna, address(page)) | {"title": "Mine", "_snapshot": snapshot}
    response = anna.post(address(page), mine)
    if response.status_code == 200:
        save(anna, address(page), fields_in(response.content.decode()))
    assert (title_of(page), titles(page)) == ("Mine", ["Salt"])


def test_views_are_no_change(anna: Client) -> None:
    page = make_page(make_text("Salt"))
    mine = opened(anna, address(page))
    Page.objects.update(counter=7)
    Content.objects.update(counter=7)
    save(anna, address(page), mine)


@pytest.mark.parametrize("make", [make_video, make_book])
def test_content_and_book_that_another_changed(
    anna: Client, boris: Client, make: Callable[[], Content]
) -> None:
    one = make()
    where = f"/admin/{one._meta.app_label}/{one._meta.model_name}/{one.pk}/change/"
    mine, theirs = opened(anna, where), opened(boris, where)
    save(boris, where, theirs | {"title": "Theirs"})
    other = "year" if "year" in mine else "video_url"
    value = "1984" if other == "year" else "https://example.com/mine.mp4"
    mine, shown = refused(anna, where, mine | {other: value})
    assert "Title is now “Theirs”." in shown
    save(anna, where, mine)
    one.refresh_from_db()
    assert (one.title, str(getattr(one, other))) == ("Theirs", value)


def test_page_that_changed_is_deleted_only_on_a_second_confirmation(
    anna: Client, boris: Client
) -> None:
    page = make_page(make_text("Salt"))
    where = f"/admin/pages/page/{page.pk}/delete/"
    asked = anna.get(where).content.decode()
    form = {"post": "yes", "_snapshot": snapshot_in(asked)}
    save(boris, address(page), opened(boris, address(page)) | new_row(1, make_audio("Gulls"), 1))
    response = anna.post(where, form)
    assert response.status_code == 200
    assert "“Gulls” was added to the page." in response.content.decode()
    assert Page.objects.filter(pk=page.pk).exists()
    save(anna, where, {"post": "yes", "_snapshot": snapshot_in(response.content.decode())})
    assert not Page.objects.filter(pk=page.pk).exists()


def test_changes_are_told_to_no_one_without_permission(anna: Client) -> None:
    page = make_page(make_text("Salt"))
    mine = opened(anna, address(page))
    Page.objects.update(title="Secret")
    viewer = User.objects.create_user("v", "v@example.com", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="add_page"))
    client = Client()
    client.force_login(viewer)
    assert client.post(address(page), mine).status_code == 403
    page.delete()
    assert client.post(address(page), mine).status_code in (302, 403)


@pytest.mark.parametrize("positions", [("0", "0", "0"), ("", "x", "0"), ("-1", "5", "²")])
def test_equal_or_odd_positions_are_no_error_of_the_server(
    anna: Client, positions: tuple[str, ...]
) -> None:
    page = make_page(*map(make_text, "abc"))
    mine = opened(anna, address(page)) | {"title": ""}  # so that the form is shown again
    mine |= {f"placements-{i}-position": position for i, position in enumerate(positions)}
    response = anna.post(address(page), mine)
    assert response.status_code == 200
    shown = re.findall(r'class="placement-title">\s*<a[^>]*>([abc])<', response.content.decode())
    assert sorted(shown) == ["a", "b", "c"]


def test_equal_positions_are_saved_in_the_order_of_the_form(anna: Client) -> None:
    page = make_page(*map(make_text, "abc"))
    mine = opened(anna, address(page)) | {f"placements-{i}-position": "0" for i in range(3)}
    save(anna, address(page), mine)
    assert titles(page) == ["a", "b", "c"]


def new_row(i: int, content: Content, position: int) -> Fields:
    return {
        "placements-TOTAL_FORMS": str(i + 1),
        f"placements-{i}-id": "",
        f"placements-{i}-content": str(content.pk),
        f"placements-{i}-position": str(position),
    }


def in_order(fields: Fields, *contents: Content) -> Fields:
    return {row_of(fields, one) + "position": str(i) for i, one in enumerate(contents)}


def snapshot_in(page: str) -> str:
    (value,) = re.findall(r'name="_snapshot" value="([^"]*)"', page)
    return html.unescape(value)
