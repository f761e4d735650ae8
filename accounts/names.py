"""The rule for usernames, and what makes two of them look the same."""

import re
import string
import unicodedata
from functools import cache

from confusable_homoglyphs import categories
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# Django's, without the @: a name that looks like an address would be taken for it. Python's \w is
# letters, digits and _: no spaces, no marks, nothing invisible, nothing that turns the direction.
CHARACTERS = re.compile(r"[\w.+-]+")
MOST_CHARACTERS = 1000  # that are looked at; a name has 150
FILLERS = {"\u115f", "\u1160"}  # of Hangul: letters to Unicode, and shown as nothing

# What is written together; "Highly Restrictive" in Unicode's UTS 39.
TOGETHER = (
    {"LATIN", "HAN", "HIRAGANA", "KATAKANA"},
    {"LATIN", "HAN", "HANGUL"},
    {"LATIN", "HAN", "BOPOMOFO"},
)
PROLONGED = "\u30fc"  # the Japanese sign for a long vowel, which Unicode gives to no script

# A name that a mail to a stranger may show: a word or two, too short for a message.
PLAIN = re.compile(r"(?=.{1,24}\Z)[^\W\d_]+(?:-[^\W\d_]+)?\d{0,4}")
LINK = re.compile(r"www|http", re.IGNORECASE)


def normal(name: str) -> str:
    """Return the one Unicode form of a name; one that is too long for a name stays as it is.

    100,000 combining marks would take a minute.
    """
    return name if len(name) > MOST_CHARACTERS else unicodedata.normalize("NFKC", name)


def validate_name(name: str) -> None:
    """Raise ValidationError unless it has only allowed characters, of one script."""
    name = normal(name)
    if not CHARACTERS.fullmatch(name) or FILLERS & set(name):
        raise ValidationError(_("A username has letters, digits and ./+/-/_ only."))
    scripts = {categories.alias(character) for character in name if not is_common(character)}
    if len(scripts) > 1 and not any(scripts <= together for together in TOGETHER):
        raise ValidationError(_("The letters of a username are those of one alphabet."))


def is_common(character: str) -> bool:
    """Tell whether a character goes with every script."""
    if character.isascii():
        return not character.isalpha()
    return character == PROLONGED


def skeleton(name: str) -> str:
    """Return the same for all names that look like each other, whatever their case.

    Letters that look like one of ASCII, small or capital, are taken for it. Those of ASCII all
    differ, or `modem` could not be named beside `modern`.
    """
    folded = normal(name).casefold().replace("\u0307", "")  # the dot that an İ leaves behind
    return "".join(lookalike(character) for character in folded)


@cache
def lookalike(character: str) -> str:
    """Return the ASCII letter that a letter looks like, in lower case; else the letter."""
    if character.isascii():
        return character
    # The table takes a quarter of a second to read, and few processes need it.
    from confusable_homoglyphs.confusables import confusables_data

    for shape in (character, character.upper()):
        letters: set[str] = {
            found["c"].lower()
            for found in confusables_data.get(shape, ())
            if len(found["c"]) == 1 and found["c"] in string.ascii_letters
        }
        if letters:
            return min(letters)
    return character


def is_plain(name: str) -> bool:
    """Tell whether a mail to a stranger may show the name: it is no text, link or number."""
    return bool(PLAIN.fullmatch(name)) and not LINK.search(name)
