"""Django's debug page without secrets.

A secret is recognised by its name (`EMAIL_HOST_PASSWORD`) or as part of a URL
(`smtp://user:secret@host`). The values of all secrets in the settings and the environment are also
removed wherever they occur, such as in a local variable `x` or in the message of an error.
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
MIN_LENGTH = 6  # characters; shorter values would match too many other words

WORDS = r"pass(?:word|wd|phrase)|pwd|secret|token|credential|api_?key|access_?key|private_?key"
NAMES = re.compile(WORDS, re.I)
IN_URL = re.compile(r"(?<=://)([^\s/:@]*):([^\s/@]+)@")
# `password=x`, `"password": "x"`, `Pool(password='x')`
IN_TEXT = re.compile(
    rf"""((?:{WORDS})\w{{0,32}}["']?\s?[=:]\s?)([\[(]*b?(?:"[^"]+"|'[^']+')|[^\s"',;&)}}\]]+)""",
    re.I,
)


class Filter(SafeExceptionReporterFilter):
    """Cleanses settings, the environment, forms and local variables, also in debug mode."""

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
        return [(name, CleansedRepr(self, name, value)) for name, value in found]


class CleansedRepr:
    """A local variable of any type, whose `repr` is that of its value without secrets."""

    def __init__(self, filter: Filter, name: str, value: object) -> None:  # noqa: A002
        self.filter, self.name, self.value = filter, name, value

    def __repr__(self) -> str:
        try:
            value = self.filter.cleanse_setting(self.name, self.value)
        except Exception:  # a lazy value, or one that contains itself
            value = self.value
        return cleanse(pprint.pformat(value))


class Reporter(ExceptionReporter):
    """Cleanses what the filter does not see: the query, the message of the error, its causes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        secrets_pattern.cache_clear()  # so that each report uses the current secrets

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
        return SafeString(remove_values(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return SafeString(remove_values(super().get_traceback_text()))


def cleanse(text: str) -> str:
    """Return `text` without known secrets, passwords in URLs, and values after a secret's name."""
    return IN_TEXT.sub(rf"\1{STARS}", remove_values(text))


def remove_values(text: str) -> str:
    """Return `text`, which may be HTML, without known secrets and passwords in URLs."""
    return secrets_pattern().sub(STARS, IN_URL.sub(rf"\1:{STARS}@", text))


@functools.cache
def secrets_pattern() -> re.Pattern[str]:
    """Return a pattern of the secrets in the settings and the environment.

    It matches them as they are, and as they are written in a URL, in code, and in HTML.
    """
    names = [name for name in dir(settings) if name.isupper()]
    everything = {**os.environ, **{name: getattr(settings, name) for name in names}}
    found = {value for value in _secrets("", everything) if len(value) >= MIN_LENGTH}
    found |= {unquote(value) for value in found}
    found |= {quote(value, safe="") for value in found} | {repr(value)[1:-1] for value in found}
    found |= {html.escape(value) for value in found}
    longest_first = sorted(found, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def _secrets(name: object, value: object) -> Iterator[str]:
    """Yield the secrets in a setting: by its name, in its items, and in its URLs."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _secrets(key, inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _secrets("", inner)
    elif isinstance(value, str):
        if NAMES.search(str(name)) and not str(name).endswith("_FILE"):
            yield value
        yield from (password for _, password in IN_URL.findall(value))
