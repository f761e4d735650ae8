from django.urls import path

from uploads.web.views import FileDetail, FileList, Upload

urlpatterns = [
    path("upload/", Upload.as_view(), name="upload"),
    path("files/", FileList.as_view(), name="file-list"),
    path("files/<int:pk>/", FileDetail.as_view(), name="file-detail"),
]
