"""Parsing of JSON bodies."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class ShallowJSONParser(JSONParser):
    """Answers 400 for JSON nested too deeply for Python; DRF's parser would answer 500."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except RecursionError as error:
            raise ParseError(_("It is nested too deeply.")) from error


class PlainTextJSONParser(ShallowJSONParser):
    """JSON that is said to be plain text: `navigator.sendBeacon` sends it, without a preflight."""

    media_type = "text/plain"
