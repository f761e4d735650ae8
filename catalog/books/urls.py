from rest_framework.routers import SimpleRouter

from catalog.books.views import BookViewSet

router = SimpleRouter(use_regex_path=False)
router.register("books", BookViewSet, basename="book")

urlpatterns = router.urls
