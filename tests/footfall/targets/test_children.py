"""Children with a primary key of their own are counted by the key of their parent."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin import AdminSite
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.messages.storage.cookie import CookieStorage
from django.db import models
from django.test import RequestFactory

from footfall.admin import ChartedAdmin
from footfall.cache import cached_pages
from footfall.flush import flush_all
from footfall.models import Audit
from footfall.ops.adjust import adjust
from footfall.ops.audit.run import run_audit
from footfall.record import record
from footfall.registry import counter_of
from tests.support.targets import Note, countable, tables

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("children")]


class Chapter(Note):
    """Its key is another number than the note's."""

    id_of_chapter = models.AutoField(primary_key=True)
    note = models.OneToOneField(Note, models.CASCADE, parent_link=True)

    class Meta:
        app_label, apps = "targets", Note._meta.apps


@pytest.fixture
def children(tables_at_home: None, few_models: None, transactional_db: None) -> Iterator[None]:
    with tables(Chapter), countable(Note, Chapter):
        yield


@pytest.fixture
def chapter() -> Any:
    """A chapter whose key is that of another note."""
    another = Note.objects.create(title="another")
    chapter = Chapter.objects.create(title="a chapter", id_of_chapter=another.pk)
    assert chapter.note_id != another.pk
    return chapter


def test_it_is_adjusted_and_not_the_note_with_its_key(chapter: Any) -> None:
    record(chapter)
    flush_all()

    adjust(Chapter, chapter.pk, by=4, why="counted elsewhere")

    assert counter_of(chapter) == 5
    assert counter_of(Note.objects.get(title="another")) == 0
    assert list(run_audit(Audit.objects.create())) == []
    with pytest.raises(Chapter.DoesNotExist):
        adjust(Chapter, 10**6, by=4, why="a wrong key")


def test_the_admin_sets_its_counter(chapter: Any, rf: RequestFactory) -> None:
    shown = ChartedAdmin(Chapter, AdminSite())
    request: Any = rf.post("/")
    request.user = get_user_model().objects.create(username="ada", is_superuser=True)
    request._messages = CookieStorage(request)

    shown.set_counters(request, [chapter], to=7, why="counted elsewhere")

    assert counter_of(chapter) == 7
    assert counter_of(Note.objects.get(title="another")) == 0
    assert LogEntry.objects.all().delete()[0] == 1


def test_no_page_is_cached_under_its_own_key(chapter: Any) -> None:
    """It would be served for the note that has this key."""
    with pytest.raises(TypeError, match=r"give targets\.Note"):
        cached_pages.lease(Chapter, chapter.pk)
    with pytest.raises(TypeError, match=r"give targets\.Note"):
        cached_pages.read_and_record(Chapter, chapter.pk)
