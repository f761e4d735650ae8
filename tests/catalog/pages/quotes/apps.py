from django.apps import AppConfig


class QuotesConfig(AppConfig):
    name = "tests.catalog.pages.quotes"
    label = "quotes"
