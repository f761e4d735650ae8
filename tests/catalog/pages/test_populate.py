"""manage.py populate."""

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from catalog.pages.models import Audio, Content, Page, PageContent, Text, Video
from tests.support.pages import remove_all_pages

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty(db: None) -> None:
    remove_all_pages()


def test_populate_makes_pages_with_contents_of_every_type(client: Client) -> None:
    call_command("populate", "--pages", "4")

    assert Page.objects.count() == 4
    assert [Video.objects.count(), Audio.objects.count(), Text.objects.count()] == [20, 20, 20]
    for page in Page.objects.all():
        contents = client.get(f"/api/v1/pages/{page.pk}/").json()["contents"]
        assert [content["type"] for content in contents] == ["video", "audio", "text"] * 5
        assert all(content["title"] for content in contents)
    Video.objects.earliest("pk").full_clean()
    Audio.objects.earliest("pk").full_clean()
    Text.objects.earliest("pk").full_clean()


def test_populate_adds_to_what_is_there() -> None:
    call_command("populate", "--pages", "2", "--contents", "3")
    call_command("populate", "--pages", "3", "--contents", "1")
    assert Page.objects.count() == 5
    assert Content.objects.count() == PageContent.objects.count() == 9


def test_populate_goes_on_after_the_first_portion() -> None:
    call_command("populate", "--pages", "7", "--contents", "1000")
    assert Content.objects.count() == 7000
    assert {page.placements.count() for page in Page.objects.all()} == {1000}


def test_populate_without_contents() -> None:
    call_command("populate", "--pages", "2", "--contents", "0")
    assert (Page.objects.count(), Content.objects.count()) == (2, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--pages", "0"],
        ["--pages", "-5"],
        ["--pages", "many"],
        ["--pages", "1", "--contents", "1001"],
    ],
)
def test_populate_refuses_numbers_out_of_range(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="expected a whole number from"):
        call_command("populate", *arguments)


def test_populate_wants_to_know_how_many() -> None:
    with pytest.raises(CommandError, match="--pages"):
        call_command("populate")
