"""The API of jobs that generate many categories or films."""

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
from catalog.films.generation_jobs import start
from catalog.films.models import GenerationJob, Kind
from catalog.films.serializers import (
    CountSerializer,
    GenerationJobSerializer,
    StartedSerializer,
)


class GenerateMixin(GenericViewSet):  # type: ignore[type-arg]
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
        """Generate that many in the background. Only for staff who may add them."""
        query = CountSerializer(data=request.data)
        query.is_valid(raise_exception=True)
        job = start(self.kind, query.validated_data["count"], request.user.pk)
        address = reverse("task-detail", args=[job.pk])
        return Response(
            StartedSerializer({"task": job.pk}).data, 202, headers={"Location": address}
        )


@extend_schema_view(
    get=extend_schema(
        operation_id="tasks_retrieve", responses={200: GenerationJobSerializer, **READING}
    )
)
class GenerationJobDetail(RetrieveAPIView[GenerationJob]):
    """The progress of a task, for its owner and for staff who may view all."""

    queryset = GenerationJob.objects.all()
    serializer_class = GenerationJobSerializer
    permission_classes = (IsAuthenticated,)
    lookup_url_kwarg = "task"

    def get_queryset(self) -> QuerySet[GenerationJob]:
        jobs = super().get_queryset()
        if is_allowed(self.request, "view", GenerationJob):
            return jobs
        return jobs.filter(owner=self.request.user.pk)
