"""Saving a content does not write an outdated counter."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db.models import F
from django.db.models.signals import pre_save
from django.test import Client

from catalog.pages.models import Content, Page, PageContent, Video
from catalog.pages.serializers import VideoSerializer
from tests.support.pages import make_page, make_video

pytestmark = pytest.mark.django_db


def save_as_content(content: Content) -> None:
    stale = Content.objects.get(pk=content.pk)
    count_a_view(content.pk)
    stale.title = "Changed"
    stale.save()


def save_as_video(content: Content) -> None:
    stale = Video.objects.get(pk=content.pk)
    count_a_view(content.pk)
    stale.title = "Changed"
    stale.save()


def save_some_fields(content: Content) -> None:
    stale = Video.objects.get(pk=content.pk)
    count_a_view(content.pk)
    stale.title = "Changed"
    stale.counter = 0
    stale.save(update_fields=["title", "counter"])


def save_by_serializer(content: Content) -> None:
    serializer = VideoSerializer(
        Video.objects.get(pk=content.pk), data={"title": "Changed", "counter": 0}, partial=True
    )
    serializer.is_valid(raise_exception=True)
    count_a_view(content.pk)
    serializer.save()


@pytest.mark.parametrize(
    "save", [save_as_content, save_as_video, save_some_fields, save_by_serializer]
)
def test_stale_instance_does_not_touch_the_counter(save: Callable[[Content], None]) -> None:
    video = make_video()
    count_a_view(video.pk)
    save(video)
    saved = Video.objects.get(pk=video.pk)
    assert (saved.title, saved.counter) == ("Changed", 2)


def test_stale_page_does_not_touch_the_counter() -> None:
    page = make_page()
    Page.objects.update(counter=F("counter") + 1)
    page.title = "Changed"
    page.save()
    page.refresh_from_db()
    assert (page.title, page.counter) == ("Changed", 1)


@pytest.fixture
def viewed_while_saved() -> Iterator[None]:
    """Count a view of each object between the admin's read and its write."""

    def count(sender: type[Any], instance: Any, raw: bool, **kwargs: Any) -> None:
        if isinstance(instance, (Content, Page)):
            base = Content if isinstance(instance, Content) else Page
            base.objects.filter(pk=instance.pk).update(counter=F("counter") + 1)
        elif isinstance(instance, PageContent):
            count_a_view(instance.content_id)

    pre_save.connect(count)
    yield
    pre_save.disconnect(count)


@pytest.mark.usefixtures("viewed_while_saved")
def test_admin_of_a_content_does_not_touch_the_counter(admin_client: Client) -> None:
    video = make_video()
    form = {"title": "Changed", "video_url": video.video_url, "counter": "0"}
    response = admin_client.post(f"/admin/pages/video/{video.pk}/change/", form)
    assert response.status_code == 302
    saved = Video.objects.get(pk=video.pk)
    assert (saved.title, saved.counter) == ("Changed", 1)


def test_admin_of_a_page_does_not_touch_the_counters(
    admin_client: Client, request: pytest.FixtureRequest
) -> None:
    a, b = make_video(), make_video()
    page = make_page(a, b)
    first, second = page.placements.all()
    request.getfixturevalue("viewed_while_saved")
    form = {"title": "Changed", "placements-TOTAL_FORMS": "2", "placements-INITIAL_FORMS": "2"}
    for i, (placement, position) in enumerate(((first, 1), (second, 0))):
        form |= {
            f"placements-{i}-id": str(placement.pk),
            f"placements-{i}-page": str(page.pk),
            f"placements-{i}-content": str(placement.content_id),
            f"placements-{i}-position": str(position),
        }
    response = admin_client.post(f"/admin/pages/page/{page.pk}/change/", form)
    assert response.status_code == 302
    page.refresh_from_db()
    assert (page.title, page.counter) == ("Changed", 1)
    assert list(page.placements.all()) == [second, first]
    assert [placement.content.counter for placement in page.placements.all()] == [1, 1]


def count_a_view(pk: int) -> None:
    Content.objects.filter(pk=pk).update(counter=F("counter") + 1)
