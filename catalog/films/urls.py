from django.urls import path
from rest_framework.routers import SimpleRouter

from catalog.films import views

router = SimpleRouter(use_regex_path=False)
router.register("categories", views.CategoryViewSet, basename="category")
router.register("films", views.FilmViewSet, basename="film")
router.register("comments", views.CommentViewSet, basename="comment")

urlpatterns = [
    *router.urls,
    path("films/<int:pk>/comments/", views.FilmComments.as_view(), name="film-comments"),
    path("tasks/<uuid:task>/", views.GenerationJobDetail.as_view(), name="task-detail"),
]
