"""Previews of contents in the admin."""

import pytest
from django.test import Client
from pytest_django import Settings

from catalog.pages.admin.previews import MAX_ORIGINS, origin
from catalog.pages.models import Content, Text, Video
from tests.support.pages import make_audio, make_page, make_text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_forms")]


def video(address: str, subtitles: str = "") -> Video:
    return Video.objects.create(title="Waves", video_url=address, subtitles_url=subtitles)


def page_of(client: Client, content: Content) -> tuple[str, str]:
    """Return the admin page of a content, and the media that its policy allows."""
    kind = content._meta.model_name
    return opened(client, f"/admin/pages/{kind}/{content.pk}/change/")


def opened(client: Client, address: str) -> tuple[str, str]:
    response = client.get(address)
    policy = response.headers["Content-Security-Policy"].split("; ")
    (media,) = [one for one in policy if one.startswith("media-src")]
    return response.content.decode(), media


def test_video_plays_in_its_admin_page_and_loads_nothing_before(admin_client: Client) -> None:
    one = video("https://media.example.com:8443/a%20b.mp4?x=1&y=2")
    html, media = page_of(admin_client, one)
    assert '<video controls preload="none"' in html
    assert 'src="https://media.example.com:8443/a%20b.mp4?x=1&amp;y=2"' in html
    assert media == "media-src 'self' https://media.example.com:8443"


def test_page_allows_the_media_of_its_own_contents_only(admin_client: Client) -> None:
    here, _ = video("https://here.example.com/a.mp4"), video("https://other.example.com/b.mp4")
    page = make_page(here, make_audio(), make_text())
    html, media = opened(admin_client, f"/admin/pages/page/{page.pk}/change/")
    assert 'src="https://here.example.com/a.mp4"' in html
    assert media == "media-src 'self' https://here.example.com"
    for address in ("/admin/", "/admin/pages/video/", "/admin/pages/page/add/"):
        assert opened(admin_client, address)[1] == "media-src 'self'"


def test_block_that_is_added_later_says_when_it_plays(admin_client: Client) -> None:
    one = video("https://here.example.com/a.mp4")
    block = admin_client.get(f"/admin/pages/content/{one.pk}/block/").content.decode()
    assert "<video" not in block
    assert "once the page is saved" in block


def test_subtitles_are_a_track_if_they_come_from_here(
    admin_client: Client, settings: Settings
) -> None:
    settings.SITE_URL = "https://footfall.example"
    ours = video("https://a.example.com/a.mp4", "https://footfall.example/files/1/content/")
    theirs = video("https://a.example.com/a.mp4", "https://a.example.com/a.vtt")
    html, _ = page_of(admin_client, ours)
    assert '<track kind="subtitles" src="https://footfall.example/files/1/content/"' in html
    html, _ = page_of(admin_client, theirs)
    assert "<track" not in html
    assert '<a href="https://a.example.com/a.vtt"' in html


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "https://a;script-src *;/a.mp4",
        "https://a b/a.mp4",
        "https://[::1/a.mp4",
        "https://a:99999/",
        "//a/b",
    ],
)
def test_address_that_no_policy_can_name_does_not_play(admin_client: Client, address: str) -> None:
    html, media = page_of(admin_client, video(address))
    assert "<video" not in html
    assert media == "media-src 'self'"


def test_origins() -> None:
    assert origin("HTTPS://Example.COM/a") == "https://example.com"
    assert origin("http://пример.рф:80/a") == "http://xn--e1afmkfd.xn--p1ai:80"
    assert origin("http://[2001:db8::1]:8000/a") == "http://[2001:db8::1]:8000"


def test_header_has_a_limit(admin_client: Client) -> None:
    page = make_page(*(video(f"https://a{i}.example.com/a.mp4") for i in range(MAX_ORIGINS + 5)))
    _, media = opened(admin_client, f"/admin/pages/page/{page.pk}/change/")
    assert media.count("https://") == MAX_ORIGINS


def test_text_has_an_excerpt(admin_client: Client) -> None:
    text = Text.objects.create(title="Salt", text="<b>Dry</b>\n\n" + "white " * 1000)
    html, _ = page_of(admin_client, text)
    assert "<p>&lt;b&gt;Dry&lt;/b&gt;</p>" in html
    excerpt = html[html.index("<p>&lt;b") : html.index("field-used_on")]
    assert excerpt.count("white") < 100
