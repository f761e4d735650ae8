"""What an editor does with a page, in a browser."""

import re

from playwright.sync_api import Locator, Page, expect

from catalog.pages.models import Content
from tests.support.pages import make_audio, make_page, make_text, make_video

ADD = "/admin/pages/page/add/"


def test_page_is_composed_of_new_contents(tab: Page) -> None:
    tab.goto(ADD)
    tab.get_by_label("Title:").fill("Sea and sky")
    expect(tab.get_by_text("No content on this page yet.")).to_be_visible()
    make_new(tab, "Video", {"Title": "Waves", "Video": "example.com/waves.mp4"})
    expect(tab.get_by_text("No content on this page yet.")).to_be_hidden()
    make_new(tab, "Audio", {"Title": "Gulls", "Bit rate": "128000"})
    make_new(tab, "Text", {"Title": "Salt", "Text": "It dries white on the rope."})
    expect(blocks(tab)).to_contain_text(
        ["https://example.com/waves.mp4", "128 kbit/s", "It dries white on the rope."]
    )

    drag(block(tab, "Salt"), to=block(tab, "Waves"))
    drag(block(tab, "Waves"), to=block(tab, "Gulls"))
    save(tab)

    assert shown_by_api(tab, "Sea and sky") == ["Salt", "Gulls", "Waves"]


def test_page_is_put_into_another_order(tab: Page) -> None:
    page = make_page(make_video("Waves"), make_audio("Gulls"), make_text("Salt"), title="Sea")
    tab.goto(f"/admin/pages/page/{page.pk}/change/")
    drag(block(tab, "Salt"), to=block(tab, "Waves"))
    save(tab)
    assert shown_by_api(tab, "Sea") == ["Salt", "Waves", "Gulls"]


def test_content_is_found_and_attached(tab: Page) -> None:
    for title in ("Sea and sky", "Seafaring", "By the sea"):
        make_text(title)
    page = make_page(make_audio("Gulls"), title="A page")
    tab.goto(f"/admin/pages/page/{page.pk}/change/")

    tab.get_by_text("Search by the start of the title…").click()
    tab.locator(".select2-search__field").press_sequentially("sea")
    results = tab.get_by_role("option")
    expect(results).to_have_text([re.compile("^Seafaring · text"), re.compile("^Sea and sky")])
    results.filter(has_text="Sea and sky").click()
    expect(block(tab, "Sea and sky")).to_contain_text("Words,")
    save(tab)

    assert shown_by_api(tab, "A page") == ["Gulls", "Sea and sky"]


def test_removed_content_is_deleted_only_on_request(tab: Page) -> None:
    page = make_page(*map(make_text, ("Kept", "Detached", "Deleted")), title="A page")
    tab.goto(f"/admin/pages/page/{page.pk}/change/")
    block(tab, "Kept").get_by_role("button", name="Remove").click()
    block(tab, "Kept").get_by_role("button", name="Undo").click()
    block(tab, "Detached").get_by_role("button", name="Remove").click()
    block(tab, "Deleted").get_by_role("button", name="Remove").click()
    block(tab, "Deleted").get_by_label("Also delete the content").check()
    save(tab)

    assert shown_by_api(tab, "A page") == ["Kept"]
    left = Content.objects.filter(title__in=("Kept", "Detached", "Deleted"))
    assert set(left.values_list("title", flat=True)) == {"Kept", "Detached"}


def test_content_is_changed_beside_its_page(tab: Page) -> None:
    page = make_page(make_text("Salt"), title="A page")
    tab.goto(f"/admin/pages/page/{page.pk}/change/")
    with tab.expect_popup() as popup:
        tab.get_by_role("link", name="Salt").click()
    popup.value.get_by_label("Title:").fill("Pepper")
    with popup.value.expect_event("close"):
        popup.value.get_by_role("button", name="Save").click()
    expect(blocks(tab)).to_contain_text(["Pepper"])


def test_page_is_found_by_the_start_of_its_title(tab: Page) -> None:
    for title in ("Sea and sky", "Seafaring", "By the sea"):
        make_page(title=title)
    tab.goto("/admin/pages/page/")
    tab.locator("#searchbar").fill("sea A")
    tab.get_by_role("button", name="Search").click()
    expect(tab.locator("#result_list .field-title")).to_have_text(["Sea and sky"])
    tab.get_by_role("link", name="Sea and sky").click()
    expect(tab.get_by_label("Title:")).to_have_value("Sea and sky")


def test_contents_are_listed_by_their_page(tab: Page) -> None:
    make_page(make_video("Waves"), make_text("Salt"), title="Sea and sky")
    make_page(make_video("Dunes"), title="Sand")
    tab.goto("/admin/pages/content/")
    tab.get_by_text("Search by the start of the title…").click()
    tab.locator(".select2-search__field").press_sequentially("sea")
    tab.get_by_role("option", name="Sea and sky").click()
    expect(tab.locator("#result_list .field-title")).to_have_text(["Salt", "Waves"])
    expect(tab.locator("#changelist-filter")).to_contain_text("Sea and sky")


def blocks(tab: Page) -> Locator:
    return tab.locator(".placement:visible")


def block(tab: Page, title: str) -> Locator:
    return blocks(tab).filter(has_text=title)


def make_new(tab: Page, kind: str, fields: dict[str, str]) -> None:
    with tab.expect_popup() as popup:
        tab.get_by_role("link", name="Create new").click()
    popup.value.get_by_role("link", name=kind).click()
    # The form gives it the focus once, perhaps while something else is being filled in.
    expect(popup.value.get_by_label("Title:")).to_be_focused()
    for label, value in fields.items():
        popup.value.get_by_label(f"{label}:").fill(value)
    with popup.value.expect_event("close"):
        popup.value.get_by_role("button", name="Save").click()
    expect(block(tab, fields["Title"])).to_be_visible()


def drag(moved: Locator, *, to: Locator) -> None:
    """Drag a block with the mouse over the far edge of another one, whose place it takes."""
    mouse = moved.page.mouse
    moved.locator(".drag-handler").hover()
    mouse.down()
    start, end = moved.bounding_box(), to.bounding_box()
    assert start
    assert end
    y = end["y"] - 5 if end["y"] < start["y"] else end["y"] + end["height"] + 5
    mouse.move(end["x"] + 20, y, steps=12)
    mouse.up()


def save(tab: Page) -> None:
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.locator(".messagelist .success")).to_be_visible()


def shown_by_api(tab: Page, title: str) -> list[str]:
    (page,) = tab.request.get("/api/v1/pages/", params={"search": title}).json()["results"]
    return [content["title"] for content in tab.request.get(page["url"]).json()["contents"]]
