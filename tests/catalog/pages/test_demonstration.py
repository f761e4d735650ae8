"""The pages that a new installation shows."""

from collections import Counter
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.test import Client

from catalog.pages.models import Content, Page, PageContent, Text, Video
from tests.support.pages import make_page, make_text, remove_all_pages

migration = import_module("catalog.pages.migrations.0002_demonstration")
FIRST = "The lighthouse that stands in the sea"


def load() -> None:
    migration.load(apps, connection.schema_editor())


def unload() -> None:
    migration.unload(apps, connection.schema_editor())


@pytest.fixture
def empty(db: None) -> None:
    remove_all_pages()


@pytest.mark.usefixtures("empty")
def test_first_page_has_every_type_interleaved(client: Client) -> None:
    load()
    page = Page.objects.earliest("pk")
    contents = client.get(f"/api/v1/pages/{page.pk}/").json()["contents"]
    types = [content["type"] for content in contents]
    assert Page.objects.count() >= 5
    assert Counter(types) == {"text": 7, "video": 5, "audio": 3}
    assert types != sorted(types)


@pytest.mark.usefixtures("empty")
def test_contents_are_shared_by_pages() -> None:
    load()
    pages_of = [
        len(set(content.placements.values_list("page"))) for content in Content.objects.all()
    ]
    assert min(pages_of) == 1
    assert max(pages_of) > 1


@pytest.mark.usefixtures("empty")
def test_unload_leaves_nothing_of_it_and_all_of_the_rest() -> None:
    mine = make_page(make_text("My own"), title="My own")
    load()
    unload()
    assert list(Page.objects.all()) == [mine]
    assert [content.title for content in Content.objects.all()] == ["My own"]


@pytest.mark.usefixtures("empty")
def test_unload_leaves_what_an_editor_changed() -> None:
    load()
    changed = Page.objects.get(title=FIRST)
    changed.placements.filter(position=0).update(position=99)
    renamed = Page.objects.exclude(pk=changed.pk).earliest("pk")
    Page.objects.filter(pk=renamed.pk).update(title="Another name")
    used = Text.objects.exclude(placements__page__in=(changed, renamed)).earliest("pk")
    mine = make_page(used, title="My own")
    rewritten = Video.objects.exclude(placements__page__in=(changed, renamed)).earliest("pk")
    Video.objects.filter(pk=rewritten.pk).update(video_url="http://example.com/better.mp4")

    unload()

    assert set(Page.objects.all()) == {changed, renamed, mine}
    assert changed.placements.count() == 15
    kept = Content.objects.filter(placements=None)
    assert [content.pk for content in kept] == [rewritten.pk]


@pytest.mark.usefixtures("empty")
def test_unload_of_nothing_is_harmless() -> None:
    unload()
    assert not PageContent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_migration_goes_back_and_forth() -> None:
    call_command("migrate", "pages", "0001", verbosity=0)
    assert not Page.objects.filter(title=FIRST).exists()
    call_command("migrate", "pages", verbosity=0)
    assert Page.objects.filter(title=FIRST).count() == 1
    call_command("migrate", "pages", "0001", verbosity=0)
    assert not Page.objects.filter(title=FIRST).exists()
    call_command("migrate", verbosity=0)
