"""From the front page to everything else, without an address that is typed."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from pytest_django import Settings

from footfall.flush import flush_all
from tests.support.keyboard import go_to, press_until
from tests.support.pages import make_audio, make_page, make_video, remove_all_pages
from uploads.models import File
from uploads.queue import outbox

HAS_READ = re.compile("Reads by this browser: [1-9]")


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "wake_worker", lambda: None)
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.mark.long
def test_a_visitor_becomes_an_editor(tab: Page, tmp_path: Path) -> None:
    remove_all_pages()
    make_page(make_video("Waves"), make_audio("Gulls"), title="Sea")
    tab.context.clear_cookies()
    tab.context.route("**/readyz", lambda route: route.fulfill(json={}))  # no beat runs here
    tab.goto("/")

    see_a_counter_move(tab)
    read_the_api(tab)
    sign_in(tab)
    make_a_page(tab)
    upload_a_file(tab, tmp_path)
    see_the_dashboard_change(tab)
    tab.context.unroute("**/readyz")


def see_a_counter_move(tab: Page) -> None:
    counter = tab.locator("[data-content]").first.locator(".counter")
    expect(counter).to_have_text("0")
    expect(tab.locator(".demo-foot")).to_contain_text(HAS_READ)
    flush_all()
    expect(counter).not_to_have_text("0")


def read_the_api(tab: Page) -> None:
    tab.get_by_role("link", name=re.compile("^API Pages")).click()
    tab.get_by_role("link", name="/api/v1/pages/").click()
    tab.locator(".response-info a").filter(has_text=re.compile(r"/pages/\d+/")).click()
    answer = tab.locator(".response-info").inner_text()
    shown = json.loads(answer[answer.index("{") :])
    assert [content["title"] for content in shown["contents"]] == ["Waves", "Gulls"]


def sign_in(tab: Page) -> None:
    tab.get_by_role("link", name="Footfall").click()
    tab.get_by_role("link", name="Sign in").click()
    tab.get_by_label("Username").fill("admin")
    tab.get_by_label("Password").fill("password")
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.locator("form.account")).to_contain_text("admin")


def make_a_page(tab: Page) -> None:
    """By keyboard alone."""
    go_to(tab, tab.get_by_role("link", name="Administration"))
    tab.wait_for_url("**/admin/")
    go_to(tab, tab.locator(".model-page a.addlink").last)
    title = tab.get_by_label("Title:")
    expect(title).to_be_focused()
    tab.keyboard.type("Harbour")
    create(tab, "Video", "Boats", "example.com/boats.mp4")
    create(tab, "Audio", "Horn", "128000")
    create(tab, "Text", "Salt", "It dries white on the rope.")

    status = tab.locator(".placements [role=status]")
    expect(status).to_have_text("Salt was added as number 3 of 3.")
    up = block(tab, "Salt").get_by_role("button", name="Move up Salt")
    go_to(tab, up, "Shift+Tab")
    expect(status).to_have_text("Salt is now number 2 of 3.")
    expect(up).to_be_focused()
    tab.keyboard.press("Enter")
    expect(status).to_have_text("Salt is now number 1 of 3.")
    expect(up).to_have_attribute("aria-disabled", "true")
    tab.keyboard.press("Enter")  # which does nothing

    go_to(tab, tab.get_by_role("button", name="Save and continue editing"))
    expect(tab.locator(".messagelist .success")).to_be_visible()
    expect(blocks(tab)).to_contain_text(["Salt", "Boats", "Horn"])

    pass_the_sidebar(tab)
    go_to(tab, block(tab, "Boats").get_by_role("button", name="Remove Boats"))
    expect(status).to_have_text("Boats will be removed from the page when you save.")
    tab.keyboard.press("Enter")
    expect(status).to_have_text("Boats stays on the page.")
    down = block(tab, "Salt").get_by_role("button", name="Move down Salt")
    go_to(tab, down, "Shift+Tab")
    go_to(tab, tab.get_by_role("button", name="Save", exact=True))
    tab.wait_for_url(re.compile("/admin/pages/page/(#.*)?$"))  # of the link that skips
    pass_the_sidebar(tab)
    go_to(tab, tab.locator("#result_list").get_by_role("link", name="Harbour"))
    expect(blocks(tab)).to_contain_text(["Boats", "Salt", "Horn"])


def pass_the_sidebar(tab: Page) -> None:
    """It has some seventy links, and each key takes the browser a while."""
    go_to(tab, tab.get_by_role("link", name="Skip to main content"))


def create(tab: Page, kind: str, title: str, value: str) -> None:
    with tab.expect_popup() as opened:
        go_to(tab, tab.get_by_role("link", name="Create new"))
    popup = opened.value
    go_to(popup, popup.get_by_role("link", name=kind))
    expect(popup.get_by_label("Title:")).to_be_focused()
    popup.keyboard.type(title)
    popup.keyboard.press("Tab")
    popup.keyboard.type(value)
    press_until(popup, "Tab", popup.get_by_role("button", name="Save"))
    with popup.expect_event("close"):
        popup.keyboard.press("Enter")
    expect(block(tab, title)).to_be_visible()


def upload_a_file(tab: Page, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Salt dries white on the rope.\n")
    tab.get_by_role("link", name="View site").click()
    tab.get_by_role("navigation", name="Everything else").get_by_role(
        "link", name="Upload Send"
    ).click()
    tab.wait_for_load_state()  # the script, too
    tab.get_by_label("Choose files").set_input_files(tmp_path / "notes.txt")
    expect(tab.locator(".file")).to_contain_text("received")
    assert File.objects.get().name == "notes.txt"


def see_the_dashboard_change(tab: Page) -> None:
    flush_all()
    tab.get_by_role("link", name="Footfall").click()
    expect(tab.locator(".demo-foot")).to_contain_text(HAS_READ)
    tab.get_by_role("link", name="Administration").click()
    tab.get_by_role("link", name=re.compile("^Dashboard Health")).click()
    waiting = tab.locator(".ff-tiles > div", has_text="Events waiting")
    expect(waiting).not_to_contain_text("everything is counted")  # the front page was read
    flush_all()
    expect(waiting).to_contain_text("everything is counted")


def blocks(tab: Page) -> Locator:
    return tab.locator(".placement:visible")


def block(tab: Page, title: str) -> Locator:
    return blocks(tab).filter(has_text=title)
