"""Skips tokens in linear time."""

import re


def skip(token: re.Pattern[str], text: str, start: int = 0) -> int:
    """Return the end of the tokens that follow one another from `start` on.

    A possessive quantifier would do the same, but is broken before Python 3.11.5:
    https://github.com/python/cpython/issues/106052
    """
    while match := token.match(text, start):
        start = match.end()
    return start
