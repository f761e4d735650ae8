"""No page has a fault that axe calls serious or critical, in a light and a dark theme.

And where the keyboard is, is seen.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.tokens import default_token_generator
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from playwright.sync_api import BrowserContext, Page, Route, expect

from accounts.emails.messages import confirmation_tokens
from accounts.models import Confirmation, Welcome
from catalog.pages.models import Content
from footfall.models import Burst, Rollup
from footfall.projections.series import Interval
from footfall.registry import content_type_of
from tests.support.books import make_book
from tests.support.films import make_comment
from tests.support.pages import make_audio, make_page, make_text, make_video
from tests.support.people import make_user
from uploads.models import File

AXE = Axe()
SERIOUS = {"serious", "critical"}
# Runs the rules of axe that can find something serious. An impact belongs to a rule.
RUN = """([where, how]) => {
    const others = axe._audit.rules.filter(rule => !/serious|critical/.test(rule.impact));
    if (others.length === axe._audit.rules.length) throw new Error("The rules have no impacts.");
    const rules = Object.fromEntries(others.map(rule => [rule.id, { enabled: false }]));
    return axe.run(where, { rules, ...how });
}"""
# What a theme can change: the others have been looked at in the light one.
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}
# Looked at in one page: axe takes seconds for the links of the sidebar.
SAME_ON_EACH = ["#nav-sidebar", "#header"]
FOCUS_IS_SEEN = """() => {
    const style = getComputedStyle(document.activeElement);
    if (document.activeElement === document.body) return true;  // behind the last element
    const has_outline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    return has_outline || style.boxShadow !== "none";
}"""
# A theme is faded in: colours in between belong to neither.
# A script may follow it: that is told with the next frame.
SETTLED = """async () => {
    for (const frame of [1, 2]) await new Promise(requestAnimationFrame);
    await Promise.allSettled(document.getAnimations()
        .filter(animation => animation.effect.getComputedTiming().endTime !== Infinity)
        .map(animation => animation.finished));
}"""


def faults(
    tab: Page,
    address: str,
    prepare: Callable[[Page], None] | None = None,
    left_out: Sequence[str] = SAME_ON_EACH,
) -> list[str]:
    """Open a page, and return what axe and the keyboard find in it."""
    tab.goto(address)
    room = "/".join(address.split("/")[:3])
    assert room in tab.url, f"{address} leads to {tab.url}"
    if prepare:
        prepare(tab)
    found = []
    themes: dict[str, dict[str, Any]] = {"light": {}, "dark": COLOURS}
    for theme, what in themes.items():
        tab.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        tab.evaluate(SETTLED)
        options = what | {"resultTypes": ["violations"], "preload": False}
        result = tab.evaluate(RUN, [{"exclude": left_out}, options])
        found += [
            f"{address} {theme} {fault['id']}: {node['html']}"
            for fault in result["violations"]
            for node in fault["nodes"][:5]
            if fault["impact"] in SERIOUS
        ]
    for _ in range(3):
        tab.keyboard.press("Tab")
        if not tab.evaluate(FOCUS_IS_SEEN):
            shown = tab.evaluate("document.activeElement.outerHTML.slice(0, 200)")
            found.append(f"{address} focus: {shown}")
    return found


def all_faults(tab: Page, addresses: Iterable[str]) -> list[str]:
    """Return the faults of some pages. Axe is added to each page that is opened from now on."""
    tab.add_init_script(AXE.axe_script)
    return [fault for address in addresses for fault in faults(tab, address)]


def show_operations(tab: Page) -> None:
    tab.locator(".opblock-summary-control").first.wait_for()
    operations = tab.locator(".opblock-summary-control").all()
    for one in operations:
        one.click()
    expect(tab.locator(".opblock.is-open .responses-wrapper")).to_have_count(len(operations))


def shorten(route: Route) -> None:
    """Answer with the paths of books, which have each kind of operation and a list of values.

    It takes a browser seconds to show all.
    """
    schema = route.fetch().json()
    schema["paths"] = {path: one for path, one in schema["paths"].items() if "/books/" in path}
    route.fulfill(json=schema)


def test_pages_of_visitors(tab: Page) -> None:
    tab.route("**/readyz", lambda route: route.fulfill(json={}))  # no beat runs here
    make_page(make_text())
    file = make_file()
    user = make_user()
    tokens: Any = confirmation_tokens
    row = Confirmation.objects.create(username="new", email="new@example.com")
    found = all_faults(
        tab,
        [
            "/",
            "/upload/",
            "/files/",
            f"/files/{file.pk}/",
            "/session/login/?next=/",
            f"/password/{link(user.pk, default_token_generator.make_token(user))}/",
            "/password/set/",
            f"/confirm/{link(row.pk, tokens.make_token(row))}/",
        ],
    )
    assert not found, "\n".join(found)


@pytest.mark.long
def test_the_browsable_api_and_its_documentation(tab: Page) -> None:
    tab.route("**/api/v1/schema/", shorten)
    page, comment = make_page(make_text()), make_comment()
    make_book()
    found = all_faults(
        tab,
        [
            "/api/v1/",
            "/api/v1/pages/",
            f"/api/v1/pages/{page.pk}/",
            "/api/v1/books/",
            f"/api/v1/films/{comment.film_id}/",
            "/api/v1/auth/users/me/",
        ],
    )
    found += faults(tab, "/api/v1/docs/", show_operations)
    assert not found, "\n".join(found)
    paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(28, 32, 34)"  # in the dark theme, too


@pytest.mark.long
def test_pages_of_the_admin(tab: Page) -> None:
    page = make_page(make_video("Waves"), make_audio(), make_text(), title="Sea")
    comment = make_comment()
    make_book()
    make_file(status="failed")
    user = make_user()
    ago = timezone.now() - timedelta(days=1)
    Welcome.objects.create(user=user, due_at=None, claimed_at=ago)
    views = {"content_type": content_type_of(type(page)), "views": 9, "person": 5, "robot": 2}
    Rollup.objects.create(**views, target_id=page.pk, hour=Interval.HOUR.start(timezone.now()))
    Burst.objects.create(hour=timezone.now(), agent=1, visitor=1, views=900, usual=3)
    video = Content.objects.get(title="Waves")
    admin = "/admin"
    found = all_faults(
        tab,
        [
            f"{admin}/",
            f"{admin}/pages/page/",
            f"{admin}/pages/page/{page.pk}/delete/",
            f"{admin}/pages/content/",
            f"{admin}/pages/content/add/",
            f"{admin}/pages/video/{video.pk}/change/",
            f"{admin}/books/book/add/",
            f"{admin}/films/category/{comment.film.category_id}/change/",
            f"{admin}/counters/dashboard/",
            f"{admin}/counters/dashboard/?model=pages.page&id={page.pk}&range=7d",
            f"{admin}/uploads/file/",
            f"{admin}/uploads/file/dead/",
            f"{admin}/accounts/user/{user.pk}/change/",
            f"{admin}/admin/logentry/",
            f"{admin}/password_change/",
        ],
    )

    def save_what_another_changed(tab: Page) -> None:
        page.placements.first().delete()  # type: ignore[union-attr]
        tab.get_by_role("button", name="Save", exact=True).click()
        tab.get_by_role("alert").wait_for()
        for preview in tab.locator(".placement-preview:visible summary").all():
            preview.click()
        tab.get_by_role("button", name="Remove").last.click()

    found += faults(tab, f"{admin}/pages/page/{page.pk}/change/", save_what_another_changed, [])
    assert not found, "\n".join(found)


def test_pages_that_strangers_see(window: BrowserContext) -> None:
    """Not in the `tab`, whose console must have no error: a browser writes each status there."""
    window.clear_cookies()
    with closing(window.new_page()) as tab:
        addresses = ["/no/such/page/", "/files/123456/", "/confirm/MQ/x/", "/admin/login/"]
        found = all_faults(tab, addresses)
    assert not found, "\n".join(found)


def make_file(**fields: Any) -> File:
    given = {"file": "none.txt", "name": "none.txt", "size": 7, "kind": "text"}
    return File.objects.create(**given | {"content_type": "text/plain"} | fields)


def link(pk: int, token: str) -> str:
    return f"{urlsafe_base64_encode(force_bytes(pk))}/{token}"
