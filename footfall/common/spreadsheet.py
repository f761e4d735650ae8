"""CSV that is streamed, and that no spreadsheet takes for more than text and numbers."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""With these, a spreadsheet takes a text for a formula."""


class Line:
    """A file for `csv.writer` that hands back what is written."""

    def write(self, text: str) -> str:
        return text


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe makes it text."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text
