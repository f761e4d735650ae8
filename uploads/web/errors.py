"""Why a file is not taken, each with its status."""

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import status
from rest_framework.exceptions import APIException

from api.unavailable import Unavailable


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(_("The file is too large: at most %s.") % filesizeformat(limit))


class TypeRefused(APIException):
    status_code = status.HTTP_415_UNSUPPORTED_MEDIA_TYPE
    default_code = "type_refused"


class StorageAway(Unavailable):
    """Neither the file nor a row was kept."""

    default_detail = gettext_lazy("The storage is away. Try again in a moment.")
    default_code = "storage_away"


class Busy(Unavailable):
    """As many bodies as may be received at once, of files and others, are being received."""

    default_detail = gettext_lazy("Too much is being sent at once. Try again in a moment.")
    default_code = "busy"
