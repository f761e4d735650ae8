from django.urls import path

from catalog.pages.views import ContentTop, ContentViews, PageDetail, PageList

urlpatterns = [
    path("pages/", PageList.as_view(), name="page-list"),
    path("pages/<int:pk>/", PageDetail.as_view(), name="page-detail"),
    path("contents/top/", ContentTop.as_view(), name="content-top"),
    path("contents/<int:pk>/views/", ContentViews.as_view(), name="content-views"),
]
