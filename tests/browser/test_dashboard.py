"""The dashboard with a script: what is chosen changes in its place."""

from playwright.sync_api import Page, expect

from catalog.pages.models import Page as Counted
from tests.support.pages import make_page, make_text

ADDRESS = "/admin/counters/dashboard/"
REFRESH = "document.dispatchEvent(new Event('visibilitychange'))"


def test_choices_change_the_page_in_its_place(tab: Page) -> None:
    page: Counted = make_page(make_text(title="Salt"), title="Sea")
    tab.goto(f"{ADDRESS}?model=pages.page&id={page.pk}")
    tab.evaluate("window.isSame = true")
    ranges = tab.get_by_role("navigation", name="Range of time")
    table = tab.get_by_text("The same as a table")

    week = ranges.get_by_role("link", name="7 days")
    week.focus()
    tab.keyboard.press("Enter")
    expect(week).to_have_attribute("aria-current", "true")
    expect(week).to_be_focused()
    assert "range=7d" in tab.url
    assert f"id={page.pk}" in tab.url
    table.click()
    expect(tab.get_by_role("columnheader", name="Period before")).to_be_visible()

    tab.get_by_role("link", name="Salt").click()
    expect(tab.locator(".ff-crumbs strong")).to_have_text("Salt")
    expect(tab.get_by_role("columnheader", name="Period before")).to_be_visible()
    tab.go_back()
    expect(tab.locator(".ff-crumbs strong")).to_have_text("Sea")
    assert tab.evaluate("window.isSame")


def test_a_refresh_leaves_what_is_being_typed(tab: Page) -> None:
    tab.goto(ADDRESS)
    first = tab.get_by_label("from")
    first.fill("2025-11-01")
    tab.get_by_label("to", exact=True).fill("2025-11-20")

    with tab.expect_response("**/dashboard/health/"):
        tab.evaluate(REFRESH)

    expect(first).to_have_value("2025-11-01")
    tab.get_by_role("button", name="Show").click()
    expect(tab.get_by_text("Views per day (UTC)")).to_be_visible()
    assert "from=2025-11-01&to=2025-11-20" in tab.url
    expect(first).to_have_value("2025-11-01")
