"""What people do with files, in a browser."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from django.test import Client
from playwright.sync_api import FilePayload, Locator, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from tests.support.files import jpeg
from tests.support.keyboard import press_until
from uploads.models import File
from uploads.processing.worker import process_next
from uploads.queue import outbox


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(outbox, "wake_worker", lambda: None)
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture
def worker(own_log: None, live_server: LiveServer) -> Iterator[None]:
    """Processes what waits, as a Celery worker would."""
    done = threading.Event()

    def run() -> None:
        while not done.wait(0.05):
            while process_next():
                pass
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    done.set()
    thread.join()


@pytest.fixture
def samples(tmp_path: Path) -> list[Path]:
    bodies = {
        "harbour.jpg": jpeg((400, 300)),
        "notes.txt": b"Salt dries white on the rope.\n" * 50,
        "people.csv": b"city,people\nTver,416\nPskov,193\n",
    }
    for name, body in bodies.items():
        (tmp_path / name).write_bytes(body)
    return [tmp_path / name for name in bodies]


def row(tab: Page, name: str) -> Locator:
    return tab.locator(".file").filter(has=tab.locator(".name", has_text=name))


def state(tab: Page, name: str) -> Locator:
    return row(tab, name).locator(".state")


@pytest.mark.usefixtures("worker")
def test_three_files_are_sent_and_become_processed(tab: Page, samples: list[Path]) -> None:
    tab.goto("/upload/")
    tab.get_by_label("Choose files").set_input_files(samples)
    for sample in samples:
        expect(state(tab, sample.name)).to_have_text("processed")
    expect(row(tab, "harbour.jpg").locator("img")).to_have_js_property("naturalWidth", 320)
    expect(tab.locator("#announcements")).to_contain_text("processed")
    expect(tab.locator("[name=pending]")).to_have_count(0)

    tab.get_by_role("link", name="Files", exact=True).click()
    expect(tab.locator(".file")).to_have_count(3)
    tab.get_by_role("link", name="harbour.jpg").click()
    expect(tab.locator("dl")).to_contain_text("image/jpeg")
    assert {file.owner_id for file in File.objects.all()} == {User.objects.get().pk}


@pytest.mark.usefixtures("worker")
def test_files_are_dropped(tab: Page) -> None:
    tab.goto("/upload/")
    tab.evaluate(
        """() => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File(["One\\n"], "one.txt"));
            dataTransfer.items.add(new File(["Two\\n"], "two.txt"));
            document.querySelector("#upload").dispatchEvent(
                new DragEvent("drop", { dataTransfer, bubbles: true }));
        }"""
    )
    expect(state(tab, "one.txt")).to_have_text("processed")
    expect(state(tab, "two.txt")).to_have_text("processed")


@pytest.mark.usefixtures("worker")
def test_file_is_sent_and_deleted_without_a_mouse(tab: Page, samples: list[Path]) -> None:
    tab.on("filechooser", lambda chooser: chooser.set_files(samples[1]))
    tab.goto("/upload/")
    press_until(tab, "Tab", tab.get_by_label("Choose files"))
    tab.keyboard.press("Enter")
    expect(state(tab, "notes.txt")).to_have_text("processed")

    delete = row(tab, "notes.txt").get_by_role("button", name="Delete notes.txt")
    press_until(tab, "Tab", delete)
    tab.once("dialog", lambda dialog: dialog.accept())
    tab.keyboard.press("Enter")
    expect(tab.locator(".file")).to_have_count(0)
    expect(tab.locator("#announcements")).to_contain_text("notes.txt was deleted.")
    expect(tab.get_by_label("Choose files")).to_be_focused()
    assert not File.objects.exists()


def test_what_cannot_be_sent_says_why(tab: Page, settings: Settings) -> None:
    settings.UPLOADS_MAX_BYTES = 1000
    tab.goto("/upload/")
    tab.get_by_label("Choose files").set_input_files(
        [payload("empty.txt", b""), payload("large.txt", b"x" * 1001)]
    )
    expect(row(tab, "empty.txt")).to_contain_text("The file is empty.")
    expect(row(tab, "large.txt")).to_contain_text("Too large: at most 1000")
    assert not File.objects.exists()


def test_connection_that_is_lost_is_tried_again(tab: Page, samples: list[Path]) -> None:
    tab.goto("/upload/")
    tab.evaluate(
        """() => {
            const { send } = XMLHttpRequest.prototype;
            XMLHttpRequest.prototype.send = function () {
                XMLHttpRequest.prototype.send = send;
                this.onerror();
                this.onloadend();
            };
        }"""
    )
    tab.get_by_label("Choose files").set_input_files(samples[1])
    expect(row(tab, "notes.txt")).to_contain_text("The connection was lost.")
    row(tab, "notes.txt").get_by_role("button", name="Retry").click()
    expect(state(tab, "notes.txt")).to_have_text("received")


def test_name_of_a_file_runs_nothing(tab: Page, worker: None) -> None:
    name = "<img src=x onerror=\"document.title='run'\">.txt"
    tab.goto("/upload/")
    tab.get_by_label("Choose files").set_input_files(payload(name, b"Hello\n"))
    expect(tab.locator(".file .name")).to_contain_text("<img src=x")
    expect(tab.locator(".file .state")).to_have_text("processed")
    tab.goto("/files/")
    tab.locator(".file .name").click()
    expect(tab).to_have_title(re.compile(r"^<img src=x"))
    expect(tab.locator("main img")).to_have_count(0)


@pytest.mark.usefixtures("worker")
def test_page_of_a_file_follows_its_status(tab: Page, admin_client: Client) -> None:
    tab.goto("/upload/")
    tab.get_by_label("Choose files").set_input_files(payload("a.txt", b"Hello\n"))
    expect(state(tab, "a.txt")).to_have_text("processed")
    File.objects.update(status="processing")
    tab.get_by_role("link", name="a.txt").click()
    expect(tab.locator("#detail .state")).to_have_text("processing")
    File.objects.update(status="processed")
    expect(tab.locator("#detail .state")).to_have_text("processed")


def payload(name: str, body: bytes) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": body}
