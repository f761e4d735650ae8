"""Reads a text token by token, in time that is linear in it."""

import re


def skip(token: re.Pattern[str], text: str, start: int = 0) -> int:
    """Return where the tokens end that follow one another from `start` on.

    A possessive repeat would say so in one pattern; but until Python 3.11.5 it forgets to try the
    other branches of what it repeats (https://github.com/python/cpython/issues/106052).
    """
    while match := token.match(text, start):
        start = match.end()
    return start
