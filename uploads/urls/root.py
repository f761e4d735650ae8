from django.urls import path

from uploads.web.downloads import Content, Thumbnail
from uploads.web.pages import DeleteFile, FilePage, FilesPage, UploadPage, changed_rows

urlpatterns = [
    path("upload/", UploadPage.as_view(), name="upload-page"),
    path("files/", FilesPage.as_view(), name="files-page"),
    path("files/rows/", changed_rows, name="file-rows"),
    path("files/<int:pk>/", FilePage.as_view(), name="file-page"),
    path("files/<int:pk>/delete/", DeleteFile.as_view(), name="file-delete"),
    path("files/<int:pk>/content/", Content.as_view(), name="file-content"),
    path("files/<int:pk>/thumbnail/", Thumbnail.as_view(), name="file-thumbnail"),
]
