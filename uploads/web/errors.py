"""Errors of uploads, with their HTTP status; another one is `TypeRefused`."""

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import status
from rest_framework.exceptions import APIException

from api.unavailable import Unavailable


class FileTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "file_too_large"

    def __init__(self, max_bytes: int) -> None:
        super().__init__(_("The file is too large: at most %s.") % filesizeformat(max_bytes))


class StorageUnavailable(Unavailable):
    """Neither the file nor its row was saved."""

    default_detail = gettext_lazy("The file storage is unavailable. Try again in a moment.")
    default_code = "storage_unavailable"
