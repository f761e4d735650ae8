from django.urls import path
from rest_framework.routers import SimpleRouter

from catalog.films.views import (
    CategoryViewSet,
    CommentViewSet,
    FilmComments,
    FilmViewSet,
    GenerationJobDetail,
)

router = SimpleRouter(use_regex_path=False)
router.register("categories", CategoryViewSet, basename="category")
router.register("films", FilmViewSet, basename="film")
router.register("comments", CommentViewSet, basename="comment")

urlpatterns = [
    *router.urls,
    path("films/<int:pk>/comments/", FilmComments.as_view(), name="film-comments"),
    path("tasks/<uuid:task>/", GenerationJobDetail.as_view(), name="task-detail"),
]
