"""Every page that people see works under a policy that allows no inline script.

The `tab` fails a test that leaves an error or a warning in the console: each refusal of the
policy is one.
"""

import pytest
from django.contrib import admin
from django.contrib.auth.tokens import default_token_generator
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django_celery_beat.models import CrontabSchedule
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.support.books import make_book
from tests.support.films import make_comment
from tests.support.pages import make_page, make_text
from tests.support.people import make_user


def see(tab: Page, address: str) -> None:
    answer = tab.goto(address)
    assert answer
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.long
def test_every_page_of_the_admin(tab: Page) -> None:
    made = [make_page(make_text()), make_comment(), make_book(), make_user()]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        see(tab, reverse(f"{name}_changelist"))
        if tab.locator(".object-tools a.addlink").count():
            see(tab, reverse(f"{name}_add"))
    for one in made:
        name = f"admin:{one._meta.app_label}_{one._meta.model_name}"
        for page in ("change", "delete", "history"):
            see(tab, reverse(f"{name}_{page}", args=[one.pk]))
    for name in ("admin:index", "admin:password_change", "admin:uploads_file_dead_letters"):
        see(tab, reverse(name))


def test_the_api_is_tried_in_swagger(tab: Page) -> None:
    see(tab, "/api/v1/docs/")
    tab.locator("#operations-books-books_list, [id$=books_list]").first.click()
    tab.get_by_role("button", name="Try it out").click()
    tab.get_by_role("button", name="Execute").click()
    expect(tab.locator(".live-responses-table td.response-col_status").last).to_have_text("200")


def test_a_schedule_is_told_in_words(tab: Page) -> None:
    schedule = CrontabSchedule.objects.create(minute="7", hour="3")
    see(tab, "/admin/django_celery_beat/periodictask/add/")
    tab.locator("#id_crontab").select_option(str(schedule.pk))
    expect(tab.locator(".field-crontab .help")).to_contain_text("At 03:07")


@pytest.mark.parametrize("address", ["/upload/", "/files/", "/admin/login/", "/password/set/"])
def test_public_pages(tab: Page, address: str) -> None:
    tab.context.clear_cookies()
    see(tab, address)


def test_the_page_behind_the_link_of_a_reset_mail(tab: Page) -> None:
    tab.context.clear_cookies()
    user = make_user()
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    see(tab, f"/password/{uid}/{default_token_generator.make_token(user)}/")
    expect(tab.locator("#id_new_password1")).to_be_visible()


def test_inline_script_does_not_run(browser: Browser, live_server: LiveServer) -> None:
    """What an attacker got into a page would look like this."""
    with browser.new_context(base_url=live_server.url) as context:
        tab = context.new_page()
        tab.goto("/upload/")
        refused = tab.evaluate(
            """() => new Promise(resolve => {
                document.addEventListener("securitypolicyviolation",
                    event => resolve([event.violatedDirective, window.ran ?? "no"]));
                const script = document.createElement("script");
                script.text = "window.ran = 'yes'";
                document.body.append(script);
            })"""
        )
    assert refused == ["script-src-elem", "no"]
