"""What is not there at the moment: answered 503, with the time after which to try again."""

from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException


class Unavailable(APIException):
    """A store is away; subclasses say what else there is too little of."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = _("A store is away. Try again in a moment.")
    wait = 5
    """Seconds; for Retry-After."""
