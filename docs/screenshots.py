"""Makes the README's screenshots of a running service: docs/images/{editor,dashboard}.png.

    pip install playwright; apt-get install chromium fonts-dejavu-core
    python docs/screenshots.py http://127.0.0.1:8000 admin PASSWORD

docs/history.py, run before it, gives the charts something to show.
"""

import argparse
import random
import sys
import time
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"  # Debian's
IMAGES = Path(__file__).parent / "images"
LARGEST = 150_000  # bytes
WIDTH = 1200
SHOTS = {  # name: address, height
    "editor": ("/admin/pages/page/1/change/", 860),
    "dashboard": ("/admin/counters/dashboard/?model=pages.page&range=30d", 1240),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("username")
    parser.add_argument("password")
    arguments = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    view_pages(arguments.address, seconds=12)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(color_scheme="light")
        sign_in(page, arguments.address, arguments.username, arguments.password)
        for name, (address, height) in SHOTS.items():
            page.set_viewport_size({"width": WIDTH, "height": height})
            page.goto(arguments.address + address, wait_until="networkidle")
            page.screenshot(path=IMAGES / f"{name}.png")
        browser.close()
    large = [str(path) for path in IMAGES.glob("*.png") if path.stat().st_size > LARGEST]
    if large:
        print("larger than 150 kB:", *large, file=sys.stderr)
    return 1 if large else 0


def view_pages(address: str, seconds: float) -> None:
    """Read some pages, so that something is being counted."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        urlopen(f"{address}/api/v1/pages/{random.choice((1, 1, 2, 3))}/").read()
        time.sleep(0.2)


def sign_in(page: Page, address: str, username: str, password: str) -> None:
    page.goto(f"{address}/admin/login/?next=/admin/")
    page.fill("#id_username", username)
    page.fill("#id_password", password)
    page.click("input[type=submit]")
    # The list of everything on the left is of no interest here.
    page.evaluate("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")


if __name__ == "__main__":
    sys.exit(main())
