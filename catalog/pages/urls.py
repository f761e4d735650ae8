from django.urls import path

from catalog.pages.views import PageDetail, PageList

urlpatterns = [
    path("pages/", PageList.as_view(), name="page-list"),
    path("pages/<int:pk>/", PageDetail.as_view(), name="page-detail"),
]
