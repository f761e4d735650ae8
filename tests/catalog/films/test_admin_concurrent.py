"""A film or comment that another deletes while it is in the form of its category."""

import html
import re

import pytest
from django.test import Client

from catalog.films.models import Category, Comment, Film
from tests.support.films import make_category, make_comment, make_film

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_forms")]

Fields = dict[str, str]


@pytest.fixture
def category() -> Category:
    """Two films, the older one with a comment."""
    category = make_category(title="Silent films")
    make_comment(film=make_film(title="The General", category=category), text="What a chase.")
    make_film(title="The Navigator", category=category)
    return category


def address(category: Category) -> str:
    return f"/admin/films/category/{category.pk}/change/"


def fields_in(page: str) -> Fields:
    """Return what a browser would send of the form."""
    (form,) = re.findall(r'<form [^>]*id="category_form".*?</form>', page, re.DOTALL)
    fields = {}
    for tag in re.findall(r"<input [^>]*>", form):
        found = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if found.get("type") not in ("submit", "checkbox") and "name" in found:
            fields[found["name"]] = html.unescape(found.get("value", ""))
    areas = re.findall(r'<textarea name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.DOTALL)
    for name, text in areas:
        fields[name] = html.unescape(text.removeprefix("\n"))
    return {name: value for name, value in fields.items() if "__prefix__" not in name}


def opened(client: Client, category: Category) -> Fields:
    return fields_in(client.get(address(category)).content.decode())


def refused(client: Client, category: Category, fields: Fields) -> tuple[Fields, str]:
    response = client.post(address(category), fields)
    assert response.status_code == 200
    page = response.content.decode()
    assert 'role="alert"' in page
    return fields_in(page), html.unescape(page)


def row_of(fields: Fields, text: str) -> str:
    (name,) = (name for name, value in fields.items() if value == text)
    return name.rpartition("-")[0]


def test_film_that_was_deleted_is_offered_as_a_new_one(
    admin_client: Client, category: Category
) -> None:
    mine = opened(admin_client, category)
    row = row_of(mine, "The General")
    Film.objects.get(title="The General").delete()
    mine, shown = refused(admin_client, category, mine | {f"{row}-title": "The General (1926)"})
    assert "“The General (1926)” was deleted." in shown
    assert admin_client.post(address(category), mine).status_code == 302
    films = Film.objects.order_by("title").values_list("title", "owner__username")
    assert list(films) == [("The General (1926)", "admin"), ("The Navigator", None)]
    assert Comment.objects.get().text == "What a chase."


def test_comment_that_was_deleted_is_not_missed_by_its_deleter(
    admin_client: Client, category: Category
) -> None:
    mine = opened(admin_client, category)
    row = row_of(mine, "What a chase.")
    Comment.objects.all().delete()
    mine |= {f"{row}-DELETE": "on", "title": "Silent"}
    assert admin_client.post(address(category), mine).status_code == 302
    assert Category.objects.get(pk=category.pk).title == "Silent"
    assert not Comment.objects.exists()


def test_comment_that_was_deleted_is_told(admin_client: Client, category: Category) -> None:
    mine = opened(admin_client, category)
    Comment.objects.all().delete()
    mine, shown = refused(admin_client, category, mine)
    assert "“What a chase.” was deleted." in shown
    assert admin_client.post(address(category), mine).status_code == 302
    assert Comment.objects.get().film.title == "The General"


def test_title_that_another_changed_is_told(admin_client: Client, category: Category) -> None:
    mine = opened(admin_client, category)
    Category.objects.filter(pk=category.pk).update(title="Theirs")
    mine, shown = refused(admin_client, category, mine)
    assert "Title is now “Theirs”." in shown
    assert mine["title"] == "Theirs"
