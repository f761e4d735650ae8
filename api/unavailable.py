"""Answers 503 with Retry-After."""

from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException

TRY_AGAIN = _("Temporarily unavailable. Try again in a moment.")


class Unavailable(APIException):
    """The database, Redis or the broker is unavailable; subclasses name other shortages."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = TRY_AGAIN
    wait = 5
    """Seconds, for Retry-After."""
