from django.apps import AppConfig


class PagesConfig(AppConfig):
    name = "loadtest.peers.pages"
    label = "pages"
