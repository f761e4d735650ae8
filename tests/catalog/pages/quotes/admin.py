from django.contrib import admin

from catalog.pages.admin import ContentTypeAdmin
from tests.catalog.pages.quotes.models import Quote


@admin.register(Quote)
class QuoteAdmin(ContentTypeAdmin):
    pass
