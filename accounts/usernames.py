"""The rule for usernames, and when two usernames look the same."""

import re
import string
import unicodedata
from functools import cache

from confusable_homoglyphs import categories
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# Django's rule without the @, with which a username could be mistaken for an e-mail address. \w is
# letters, digits and _: no spaces, no combining marks, nothing invisible, no bidi controls.
CHARACTERS = re.compile(r"[\w.+-]+")
MAX_NORMALIZED = 1000  # characters; a username has at most 150
FILLERS = {"\u115f", "\u1160"}  # Hangul characters that are letters in Unicode, but invisible

# Scripts that may be mixed: "Highly Restrictive" in Unicode's UTS 39.
MIXED_SCRIPTS = (
    {"LATIN", "HAN", "HIRAGANA", "KATAKANA"},
    {"LATIN", "HAN", "HANGUL"},
    {"LATIN", "HAN", "BOPOMOFO"},
)
# With every script; Unicode assigns the last one, a Japanese mark, to none.
COMMON = {*string.digits, *".+-_", "\u30fc"}

# A username that an e-mail to a stranger may contain: one or two words, too short for a message.
PLAIN = re.compile(r"(?=.{1,24}\Z)[^\W\d_]+(?:-[^\W\d_]+)?\d{0,4}")
LINK = re.compile(r"www|http", re.IGNORECASE)


def normalize(name: str) -> str:
    """Return the NFKC form of a username.

    Text that is too long for a username is returned unchanged: 100,000 combining marks would take a
    minute.
    """
    return name if len(name) > MAX_NORMALIZED else unicodedata.normalize("NFKC", name)


def validate_username(name: str) -> None:
    """Raise ValidationError unless all characters are allowed, and of one script."""
    name = normalize(name)
    if not CHARACTERS.fullmatch(name) or FILLERS & set(name):
        raise ValidationError(_("Usernames may only contain letters, digits and ./+/-/_."))
    scripts = {categories.alias(character) for character in {*name} - COMMON}
    if len(scripts) > 1 and not any(scripts <= mixed for mixed in MIXED_SCRIPTS):
        raise ValidationError(_("All letters of a username must be of one alphabet."))


def skeleton(name: str) -> str:
    """Return the same text for all usernames that look the same, whatever their case.

    Letters that look like an ASCII letter, upper or lower case, are replaced by it. ASCII letters
    all differ; otherwise `modem` and `modern` would be the same.
    """
    folded = normalize(name).casefold().replace("\u0307", "")  # the dot that İ leaves
    return "".join(lookalike(character) for character in folded)


@cache
def lookalike(character: str) -> str:
    """Return the ASCII letter that a letter looks like, in lower case; else the letter itself."""
    if character.isascii():
        return character
    # The import takes 0.25 s, and few processes need it.
    from confusable_homoglyphs.confusables import confusables_data

    for variant in (character, character.upper()):
        letters: set[str] = {
            found["c"].lower()
            for found in confusables_data.get(variant, ())
            if len(found["c"]) == 1 and found["c"] in string.ascii_letters
        }
        if letters:
            return min(letters)
    return character


def is_plain(name: str) -> bool:
    """Return whether an e-mail to a stranger may contain the username: it is no message or link."""
    return bool(PLAIN.fullmatch(name)) and not LINK.search(name)
