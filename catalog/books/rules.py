"""Validation of books, for the API and the admin."""

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from stdnum import isbn
from stdnum.exceptions import ValidationError as InvalidISBN

SHEET_MUSIC = "9790"  # the prefix of ISMNs, which are not ISBNs


def normalize_isbn(text: str) -> str:
    """Return an ISBN-10 or ISBN-13 as the 13 digits of its ISBN-13.

    Raises Django's ValidationError for anything else.
    """
    try:
        number: str = isbn.validate(text, convert=True)
    except InvalidISBN:
        number = SHEET_MUSIC
    if number.startswith(SHEET_MUSIC):
        raise ValidationError(_("This is not a valid ISBN."), code="isbn")
    return number


def check_year(year: int) -> None:
    """Raise ValidationError unless the year is from 1 to the present one."""
    latest = timezone.localdate().year
    if not 1 <= year <= latest:
        raise ValidationError(
            _("The year must be from 1 to %(latest)d."), code="year", params={"latest": latest}
        )
