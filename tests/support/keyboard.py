"""A browser that is used by keyboard alone."""

from playwright.sync_api import Locator, Page


def press_until(tab: Page, key: str, focused: Locator, most: int = 120) -> None:
    """Press a key, Tab for example, until an element has the focus."""
    for _ in range(most):
        if focused.evaluate("element => element === document.activeElement"):
            return
        tab.keyboard.press(key)
    raise AssertionError("It never has the focus.")


def go_to(tab: Page, element: Locator, key: str = "Tab") -> None:
    """Go to an element with Tab, or back with Shift+Tab, and press Enter on it."""
    press_until(tab, key, element)
    tab.keyboard.press("Enter")
