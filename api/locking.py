"""Changes that nothing can come between."""

from typing import Any, TypeVar

from django.db import models, transaction
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ModelViewSet

AnyModel = TypeVar("AnyModel", bound=models.Model)

CHANGES = ("update", "partial_update", "destroy")


class LockingViewSet(ModelViewSet[AnyModel]):
    """Reads a row and changes it under one lock.

    Else two changes at once would undo each other's fields, and one beside a deletion would save
    the row again. All checks are made twice: what is refused anyway takes no lock, and under the
    lock the row may be another.
    """

    is_locking = False

    def get_queryset(self) -> QuerySet[AnyModel]:
        rows = super().get_queryset()
        return rows.select_for_update() if self.is_locking else rows

    def lock(self) -> None:
        """Have `get_object` lock the row. Called once a transaction has begun."""
        self.is_locking = True

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        partial = kwargs.get("partial", False)
        self.valid(request, partial)
        with transaction.atomic():
            self.lock()
            serializer = self.valid(request, partial)
            self.perform_update(serializer)
        return self.changed(serializer)

    def valid(self, request: Request, partial: bool) -> BaseSerializer[AnyModel]:
        serializer = self.get_serializer(self.get_object(), data=request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        return serializer

    def changed(self, serializer: BaseSerializer[AnyModel]) -> Response:
        """Return the answer to a change."""
        return Response(serializer.data)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.get_object()
        with transaction.atomic():
            self.lock()
            return super().destroy(request, *args, **kwargs)
