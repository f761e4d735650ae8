"""The API of categories, films and comments, and of jobs that generate categories or films."""

from django.db import transaction
from django.db.models import ProtectedError, QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.generics import ListCreateAPIView, RetrieveAPIView
from rest_framework.permissions import IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from api.locking import LockingViewSet
from api.permissions import AuthorChanges, OwnerOrStaffChanges, StaffAdds, is_allowed
from api.throttling import ClientThrottle
from catalog.films import serializers, tree
from catalog.films.filters import CategoryFilter, CommentFilter, FilmFilter
from catalog.films.models import Category, Comment, Film, GenerationJob, Kind
from catalog.films.tasks import start
from catalog.views import RecordingViewSet


class InUse(APIException):
    status_code = 409
    default_code = "in_use"


class GenerateMixin(GenericViewSet):  # type: ignore[type-arg]
    """Adds `generate/` to a view set."""

    kind: Kind
    throttle_scope = "generate"

    @extend_schema(
        request=serializers.CountSerializer, responses={202: serializers.StartedSerializer}
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
        query = serializers.CountSerializer(data=request.data)
        query.is_valid(raise_exception=True)
        job = start(self.kind, query.validated_data["count"], request.user.pk)
        address = reverse("task-detail", args=[job.pk])
        return Response({"task": job.pk}, 202, headers={"Location": address})


class CategoryViewSet(GenerateMixin, LockingViewSet[Category]):
    """Anyone reads, authenticated users add, the owner or staff change, staff delete."""

    queryset = Category.objects.order_by("pk")
    serializer_class = serializers.CategorySerializer
    permission_classes = (OwnerOrStaffChanges,)
    filterset_class = CategoryFilter
    kind = Kind.CATEGORIES

    def lock(self) -> None:
        if self.action != "destroy":
            # Before the category is read: saving an outdated parent would move it back.
            tree.lock(Category)
        super().lock()

    @transaction.atomic
    def perform_create(self, serializer: BaseSerializer[Category]) -> None:
        serializer.save(owner=self.request.user)

    def perform_destroy(self, instance: Category) -> None:
        try:
            instance.delete()
        except ProtectedError as error:
            raise InUse(_("The category is not empty.")) from error


class FilmViewSet(GenerateMixin, RecordingViewSet[Film]):
    """Anyone reads, authenticated users add, the owner or staff change, staff delete."""

    queryset = Film.objects.order_by("pk")
    serializer_class = serializers.FilmSerializer
    permission_classes = (OwnerOrStaffChanges,)
    filterset_class = FilmFilter
    kind = Kind.FILMS

    def perform_create(self, serializer: BaseSerializer[Film]) -> None:
        serializer.save(owner=self.request.user)

    def perform_destroy(self, instance: Film) -> None:
        # The comments are deleted as well, which takes permission in the admin, too.
        if instance.comments.exists() and not is_allowed(self.request, "delete", Comment):
            self.permission_denied(self.request)
        instance.delete()


class CommentViewSet(LockingViewSet[Comment]):
    """Anyone reads, authenticated users add, the author changes, the author or staff delete."""

    queryset = Comment.objects.order_by("pk")
    permission_classes = (AuthorChanges,)
    filterset_class = CommentFilter

    def get_serializer_class(self) -> type[serializers.CommentSerializer]:
        if self.action == "create":
            return serializers.NewCommentSerializer
        return serializers.CommentSerializer

    def perform_create(self, serializer: BaseSerializer[Comment]) -> None:
        serializer.save(author=self.request.user)


class FilmComments(ListCreateAPIView[Comment]):
    """The comments on one film; authenticated users add some."""

    queryset = Comment.objects.order_by("pk")
    serializer_class = serializers.CommentSerializer
    permission_classes = (IsAuthenticatedOrReadOnly,)
    may_conflict = True

    def get_queryset(self) -> QuerySet[Comment]:
        return super().get_queryset().filter(film=self.film())

    def perform_create(self, serializer: BaseSerializer[Comment]) -> None:
        serializer.save(film=self.film(), author=self.request.user)

    def film(self) -> Film:
        return get_object_or_404(Film, pk=self.kwargs["pk"])


class GenerationJobDetail(RetrieveAPIView[GenerationJob]):
    """The progress of a task, for its owner and for staff who may view all."""

    queryset = GenerationJob.objects.all()
    serializer_class = serializers.GenerationJobSerializer
    permission_classes = (IsAuthenticated,)
    lookup_url_kwarg = "task"

    def get_queryset(self) -> QuerySet[GenerationJob]:
        jobs = super().get_queryset()
        if is_allowed(self.request, "view", GenerationJob):
            return jobs
        return jobs.filter(owner=self.request.user.pk)
