"""For APIs with Django REST framework: views that count, and a field with the counter."""

from typing import Any

from rest_framework import serializers

from footfall.registry import counter_of
from footfall.web.views import RecordsView


class CountedRetrieveMixin(RecordsView):
    """Records a view of the object once `retrieve` has answered a GET with 200, and it is rendered.

    For viewsets and generic views, before them in the bases. Lists count nothing.
    """

    def get_object(self) -> Any:
        self.object = super().get_object()  # type: ignore[misc]
        return self.object

    def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().retrieve(request, *args, **kwargs)  # type: ignore[misc]
        if self.is_read(response) and not self.record_once_rendered(response):
            self.record_view(response)
        return response


class ViewsField(serializers.IntegerField):
    """The counter of the object, as it was read: `views = ViewsField()`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"source": "*", "read_only": True, **kwargs})

    def to_representation(self, value: Any) -> int:
        return counter_of(value)
