from django.urls import path
from rest_framework.routers import SimpleRouter

from catalog.books.views import BookViewSet
from catalog.films import views as films
from catalog.pages import views as pages
from catalog.pages.reported_views import ReportedViews

router = SimpleRouter(use_regex_path=False)
router.register("books", BookViewSet, basename="book")
router.register("categories", films.CategoryViewSet, basename="category")
router.register("films", films.FilmViewSet, basename="film")
router.register("comments", films.CommentViewSet, basename="comment")

urlpatterns = [
    *router.urls,
    path("films/<int:pk>/comments/", films.FilmComments.as_view(), name="film-comments"),
    path("tasks/<uuid:task>/", films.GenerationJobDetail.as_view(), name="task-detail"),
    path("pages/", pages.PageList.as_view(), name="page-list"),
    path("pages/<int:pk>/", pages.PageDetail.as_view(), name="page-detail"),
    path("views/", ReportedViews.as_view(), name="views"),
    path("contents/export/", pages.ContentExport.as_view(), name="content-export"),
    path("contents/top/", pages.ContentTop.as_view(), name="content-top"),
    path("contents/<int:pk>/views/", pages.ContentViews.as_view(), name="content-views"),
]
