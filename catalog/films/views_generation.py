"""The API of tasks that make many categories or films."""

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.generics import RetrieveAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from api.openapi_responses import READING, WRITING, errors
from api.permissions import StaffAdds, is_allowed
from api.throttling import ClientThrottle
from catalog.films.generation import start
from catalog.films.models import Generation, Kind
from catalog.films.serializers import CountSerializer, GenerationSerializer, StartedSerializer


class Generating(GenericViewSet):  # type: ignore[type-arg]
    """Adds `generate/` to a view set."""

    kind: Kind
    throttle_scope = "generate"

    @extend_schema(
        request=CountSerializer,
        responses={202: StartedSerializer, **WRITING, **errors(429)},
    )
    @action(
        detail=False,
        methods=["post"],
        permission_classes=[StaffAdds],
        throttle_classes=[ClientThrottle],
        filterset_class=None,
    )
    def generate(self, request: Request) -> Response:
        """Have a worker make that many; only for staff who may add them."""
        query = CountSerializer(data=request.data)
        query.is_valid(raise_exception=True)
        task = start(self.kind, query.validated_data["count"], request.user.pk)
        address = reverse("task-detail", args=[task.pk])
        return Response(
            StartedSerializer({"task": task.pk}).data, 202, headers={"Location": address}
        )


@extend_schema_view(
    get=extend_schema(
        operation_id="tasks_retrieve", responses={200: GenerationSerializer, **READING}
    )
)
class GenerationDetail(RetrieveAPIView[Generation]):
    """How far a task is; for who has started it, and for staff who may see all."""

    queryset = Generation.objects.all()
    serializer_class = GenerationSerializer
    permission_classes = (IsAuthenticated,)
    lookup_url_kwarg = "task"

    def get_queryset(self) -> QuerySet[Generation]:
        tasks = super().get_queryset()
        if is_allowed(self.request, "view", Generation):
            return tasks
        return tasks.filter(owner=self.request.user.pk)
