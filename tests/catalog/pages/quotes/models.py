from django.db import models

from catalog.pages.models import Content


class Quote(Content):
    author = models.CharField(max_length=200)
