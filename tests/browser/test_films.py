"""What an editor does with a category and all that is in it, in a browser."""

from playwright.sync_api import Page, expect

from catalog.films.models import Category, Comment
from tests.support.films import make_category, make_comment, make_film


def test_film_and_comment_are_added_in_the_form_of_their_category(tab: Page) -> None:
    comment = make_comment(film=make_film(title="The General", category=make_category()))
    tab.goto(f"/admin/films/category/{comment.film.category_id}/change/")

    tab.get_by_role("link", name="Add another Comment").first.click()
    tab.locator("#id_films-0-comments-1-text").fill("That bridge!")
    tab.get_by_role("link", name="Add another Film").click()
    tab.locator("#id_films-1-title").fill("Steamboat Bill, Jr.")
    tab.locator("#id_films-1-time_filmed_0").fill("1927-08-01")
    tab.locator("#id_films-1-time_filmed_1").fill("12:00:00")
    tab.get_by_role("link", name="Add another Comment").nth(1).click()
    tab.locator("#id_films-1-comments-0-text").fill("That wall!")
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.locator(".messagelist .success")).to_be_visible()

    said = Comment.objects.order_by("text").values_list("film__title", "text", "author__username")
    assert list(said) == [
        ("The General", "That bridge!", "admin"),
        ("Steamboat Bill, Jr.", "That wall!", "admin"),
        ("The General", "What a chase.", None),
    ]


def test_category_is_put_below_another_that_is_found_by_its_title(tab: Page) -> None:
    below, _ = make_category(title="Silent films"), make_category(title="Westerns")
    tab.goto(f"/admin/films/category/{below.pk}/change/")
    tab.locator(".field-parent .select2-selection").click()
    tab.locator(".select2-search__field").press_sequentially("west")
    tab.get_by_role("option", name="Westerns").click()
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.locator(".messagelist .success")).to_be_visible()
    parent = Category.objects.get(pk=below.pk).parent
    assert parent
    assert parent.title == "Westerns"
