"""The base of the API of books and films."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from api.locking import AnyModel, LockingViewSet
from footfall.record import record


class RecordingViewSet(LockingViewSet[AnyModel]):
    """Counts each GET of an object as a view of it."""

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        target = self.get_object()
        data = self.get_serializer(target).data
        headers = {"Cache-Control": "no-store", **self.get_success_headers(data)}
        response = Response(data, headers=headers)
        if request.method == "GET":
            record(target, request=request)  # last: without a response there is no view
        return response
