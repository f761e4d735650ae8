"""Changes that nothing can come between."""

from typing import Any, TypeVar

from django.db import models, transaction
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ModelViewSet

AnyModel = TypeVar("AnyModel", bound=models.Model)

CHANGES = ("update", "partial_update", "destroy")


class LockingViewSet(ModelViewSet[AnyModel]):
    """Reads a row and changes it under one lock.

    Else two changes at once would undo each other's fields, and one beside a deletion would save
    the row again.
    """

    def get_queryset(self) -> QuerySet[AnyModel]:
        rows = super().get_queryset()
        return rows.select_for_update() if self.action in CHANGES else rows

    @transaction.atomic
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().update(request, *args, **kwargs)

    @transaction.atomic
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().destroy(request, *args, **kwargs)
