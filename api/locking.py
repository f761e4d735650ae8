"""Changes of a row under a lock."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import IntegrityError, models, transaction
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ModelViewSet

T = TypeVar("T")
AnyModel = TypeVar("AnyModel", bound=models.Model)

CHANGES = ("update", "partial_update", "destroy")


def save_or_validate_again(serializer: BaseSerializer[Any], save: Callable[[], T]) -> T:
    """Return what `save` returns; if a concurrent request was faster, raise what is invalid now."""
    try:
        with transaction.atomic():
            return save()
    except IntegrityError:
        serializer.run_validation(serializer.initial_data)
        raise


class LockingViewSet(ModelViewSet[AnyModel]):
    """Reads a row and changes it under one lock.

    Without it, two concurrent changes would undo each other's fields, and a change concurrent with
    a deletion would save the row again. All checks run twice: once without a lock, so that a
    request that is refused anyway takes none, and again under it, since the row may have changed.
    """

    filter_backends = (DjangoFilterBackend,)
    lookup_value_converter = "int"
    may_conflict = True
    is_locking = False

    def get_queryset(self) -> QuerySet[AnyModel]:
        rows = super().get_queryset()
        return rows.select_for_update() if self.is_locking else rows

    def lock(self) -> None:
        """Make `get_object` lock the row. Called at the start of the transaction."""
        self.is_locking = True

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        partial = kwargs.get("partial", False)
        self.get_valid(request, partial)
        with transaction.atomic():
            self.lock()
            serializer = self.get_valid(request, partial)
            self.perform_update(serializer)
        data = serializer.data
        return Response(data, headers=self.get_success_headers(data))

    def get_valid(self, request: Request, partial: bool) -> BaseSerializer[AnyModel]:
        serializer = self.get_serializer(self.get_object(), data=request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        return serializer

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.get_object()
        with transaction.atomic():
            self.lock()
            return super().destroy(request, *args, **kwargs)
