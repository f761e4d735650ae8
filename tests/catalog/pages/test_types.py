"""A new type of content is one model, one serializer and one admin class: see `quotes`."""

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from catalog.pages.models import Content
from footfall.flush import flush_all
from tests.catalog.pages.quotes.models import Quote
from tests.support.pages import make_page, make_text, make_video

pytestmark = pytest.mark.django_db


@pytest.fixture
def quote() -> Quote:
    return Quote.objects.create(title="On rivers", author="Heraclitus")


def test_new_type_is_shown_in_two_queries(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, quote: Quote
) -> None:
    page = make_page(make_video(), quote, make_text())
    with django_assert_num_queries(2):
        contents = client.get(f"/api/v1/pages/{page.pk}/").json()["contents"]
    assert [content["type"] for content in contents] == ["video", "quote", "text"]
    assert contents[1] == {
        "id": quote.pk,
        "type": "quote",
        "title": "On rivers",
        "counter": 0,
        "author": "Heraclitus",
    }


def test_new_type_is_counted(client: Client, quote: Quote) -> None:
    client.get(f"/api/v1/pages/{make_page(quote).pk}/")
    flush_all()
    assert Content.objects.get(pk=quote.pk).counter == 1


def test_new_type_can_be_chosen_in_the_admin(admin_client: Client) -> None:
    chooser = admin_client.get("/admin/pages/content/add/?_popup=1&_to_field=id")
    assert "/admin/quotes/quote/add/?_popup=1&amp;_to_field=id" in chooser.content.decode()


def test_new_type_is_edited_in_its_own_admin(admin_client: Client, quote: Quote) -> None:
    response = admin_client.get(f"/admin/pages/content/{quote.pk}/change/", follow=True)
    assert response.redirect_chain == [(f"/admin/quotes/quote/{quote.pk}/change/?", 302)]
    assert "Heraclitus" in response.content.decode()


def test_new_type_is_in_the_schema(client: Client) -> None:
    schema = client.get("/api/v1/schema/?format=json").json()["components"]["schemas"]
    assert {"$ref": "#/components/schemas/Quote"} in schema["AnyContent"]["oneOf"]
    assert "author" in schema["Quote"]["properties"]


def test_new_type_needs_no_migration_of_the_pages() -> None:
    call_command("makemigrations", "--check", "--dry-run", "pages", "quotes", "accounts")
