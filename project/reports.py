"""The page for developers that debug mode shows for an error, without secrets.

Names say what is a secret (`EMAIL_HOST_PASSWORD`), and so do addresses (`smtp://user:secret@host`).
Beside these, the values of all secrets of the settings and the environment are known here, and are
taken out wherever they stand: in a local variable `x`, in the text of an error.
"""

import functools
import html
import os
import pprint
import re
from collections.abc import Iterator
from types import FrameType
from typing import Any
from urllib.parse import quote, unquote

from django.conf import settings
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

STARS = SafeExceptionReporterFilter.cleansed_substitute
SHORTEST = 6  # characters; a shorter value stands in too many words that are no secret

WORDS = r"pass(?:word|wd|phrase)|pwd|secret|token|credential|api_?key|access_?key|private_?key"
NAMES = re.compile(WORDS, re.I)
IN_ADDRESS = re.compile(r"(?<=://)([^\s/:@]*):([^\s/@]+)@")
# `password=x`, `"password": "x"`, `Pool(password='x')`
IN_TEXT = re.compile(
    rf"""((?:{WORDS})\w{{0,32}}["']?\s?[=:]\s?)([\[(]*b?(?:"[^"]+"|'[^']+')|[^\s"',;&)}}\]]+)""",
    re.I,
)


class Filter(SafeExceptionReporterFilter):
    """Cleanses settings, the environment, forms and local variables, in debug mode as well."""

    hidden_settings = re.compile(
        rf"{SafeExceptionReporterFilter.hidden_settings.pattern}|{WORDS}", re.I
    )

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        found = super().cleanse_setting(key, value)
        return cleanse(found) if isinstance(found, str) else found

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        found = super().get_post_parameters(request)
        return {name: self.cleanse_setting(name, value) for name, value in found.items()}

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> Any:
        found = super().get_traceback_frame_variables(request, tb_frame)
        return [(name, Shown(self, name, value)) for name, value in found]


class Shown:
    """A local variable of any type, whose `repr` is that of its value without secrets."""

    def __init__(self, by: Filter, name: str, value: object) -> None:
        self.by, self.name, self.value = by, name, value

    def __repr__(self) -> str:
        try:
            value = self.by.cleanse_setting(self.name, self.value)
        except Exception:  # a value that is evaluated only now, or one that contains itself
            value = self.value
        return cleanse(pprint.pformat(value))


class Reporter(ExceptionReporter):
    """Cleanses what the filter is not asked about: the query, the text of the error, its causes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known.cache_clear()  # once for a report is enough, and it is never of another time

    def get_traceback_data(self) -> dict[str, Any]:
        data = super().get_traceback_data()
        if self.request is not None:
            found = self.request.GET.items()
            data["request_GET_items"] = [
                (name, self.filter.cleanse_setting(name, value)) for name, value in found
            ]
        for name in ("request_insecure_uri", "exception_value", "exception_notes"):
            if name in data:
                data[name] = cleanse(data[name])
        return data

    def get_traceback_html(self) -> SafeString:
        return SafeString(without_values(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return SafeString(without_values(super().get_traceback_text()))


def cleanse(text: str) -> str:
    """Return `text` without secrets: known ones, those in addresses, those behind their names."""
    return IN_TEXT.sub(rf"\1{STARS}", without_values(text))


def without_values(text: str) -> str:
    """Return `text`, which may be HTML, without known secrets and those in addresses."""
    return known().sub(STARS, IN_ADDRESS.sub(rf"\1:{STARS}@", text))


@functools.cache
def known() -> re.Pattern[str]:
    """Return what finds the secrets of the settings and the environment, however they are written.

    In an address, in code, in HTML.
    """
    names = [name for name in dir(settings) if name.isupper()]
    everything = {**os.environ, **{name: getattr(settings, name) for name in names}}
    found = {value for value in _secrets("", everything) if len(value) >= SHORTEST}
    found |= {unquote(value) for value in found}
    found |= {quote(value, safe="") for value in found} | {repr(value)[1:-1] for value in found}
    found |= {html.escape(value) for value in found}
    longest_first = sorted(found, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def _secrets(name: object, value: object) -> Iterator[str]:
    """Yield the secrets of a value of that name, of what it contains, and in its addresses."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _secrets(key, inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _secrets("", inner)
    elif isinstance(value, str):
        if NAMES.search(str(name)) and not str(name).endswith("_FILE"):
            yield value
        yield from (password for _, password in IN_ADDRESS.findall(value))
