"""Small projects of this folder, in the manner of those that are fetched."""

from tests.wheel.foreign.adopter import Adopter, Edit
from tests.wheel.foreign.fetched import GUNICORN

DATABASE = {"DATABASE": "{database}"}
SETTINGS = Edit(
    "site_/settings.py",
    ('INSTALLED_APPS.append("footfall")', 'COUNTERS_LOG_URL = os.environ["REDIS_URL"]'),
)

PAGES = Adopter(
    name="pages",
    kind="pages",
    packages=("wagtail~=7.4.0", "psycopg[binary]", "gunicorn"),
    patch=(
        SETTINGS,
        Edit("site_/settings.py", ('COUNTERS_MODELS = ["wagtailcore.Page"]',)),
        Edit(
            "pages/wagtail_hooks.py",
            (
                "from footfall.record import record",
                '@hooks.register("on_serve_page")',
                "def count(serve):",
                "    def counted(page, request, *args):",
                "        response = serve(page, request, *args)",
                "        return record(page, request=request) or response",
                "    return counted",
            ),
        ),
    ),
    label="wagtailcore.page",
    seed="""
from pages.models import ArticlePage, RecipePage
from wagtail.models import Page
home = Page.objects.get(slug="home")
for number in range(20):
    kind = RecipePage if number % 2 else ArticlePage
    home.add_child(instance=kind(title=f"Page {number}"))
paths = {str(page.pk): page.get_url() for page in home.get_children()}
""",
    own_migrations=("pages",),
    tests="{python} manage.py test",
    serve=f"{GUNICORN} site_.wsgi",
    environment=DATABASE,
)

BLOG = Adopter(
    name="blog",
    kind="blog",
    packages=("Django~=5.2.0", "psycopg2-binary", "gunicorn"),
    patch=(
        SETTINGS,
        Edit(
            "articles/models.py",
            ("    counter = CounterField()",),
            after="    views = models.PositiveIntegerField(default=0)",
        ),
        Edit(
            "articles/models.py",
            ("from footfall.models import CounterField",),
            after="from django.urls import reverse",
        ),
        Edit(
            "articles/views.py",
            (
                "from footfall.web.views import CountedViewMixin",
                "class ArticleDetail(CountedViewMixin, DetailView):",
            ),
            after="class ArticleDetail(DetailView):",
            instead=True,
        ),
    ),
    label="articles.article",
    migrations="articles",
    own_migrations=("people", "articles"),
    seed="""
from articles.models import Article
from django.contrib.auth import get_user_model
author = get_user_model().objects.create_user("author")
for number in range(20):
    Article.objects.create(title=f"Article {number}", slug=f"a{number}", author=author)
paths = {str(one.pk): one.get_absolute_url() for one in Article.objects.all()}
""",
    tests="{python} manage.py test",
    serve=f"{GUNICORN} site_.wsgi",
    environment=DATABASE,
    own_count="views",
)

API = Adopter(
    name="api",
    kind="api",
    packages=("Django~=6.0.0", "djangorestframework", "redis~=6.4", "psycopg[binary]", "gunicorn"),
    patch=(
        SETTINGS,
        Edit(
            "wares/models.py",
            ("    counter = CounterField()",),
            after="    name = models.CharField(max_length=100)",
        ),
        Edit(
            "wares/models.py",
            ("from footfall.models import CounterField",),
            after="from django.db import models",
        ),
        Edit(
            "wares/views.py",
            (
                "from footfall.web.rest import CountedRetrieveMixin",
                "class WareViewSet(CountedRetrieveMixin, ModelViewSet):",
            ),
            after="class WareViewSet(ModelViewSet):",
            instead=True,
        ),
    ),
    label="wares.ware",
    migrations="wares",
    own_migrations=("wares",),
    seed="""
from django.contrib.auth import get_user_model
from rest_framework.authtoken.models import Token
from wares.models import Ware
user = get_user_model().objects.create_user("reader")
headers = {"Authorization": f"Token {Token.objects.create(user=user).key}"}
wares = [Ware.objects.create(name=f"Ware {number}") for number in range(20)]
paths = {str(one.pk): f"/api/wares/{one.pk}/" for one in wares}
""",
    tests="{python} manage.py test",
    serve=f"{GUNICORN} site_.wsgi",
    environment=DATABASE,
)

ASGI = Adopter(
    name="asgi",
    kind="asgi",
    packages=("Django~=6.1.0", "psycopg[binary]", "uvicorn"),
    patch=(
        SETTINGS,
        Edit(
            "notes/models.py",
            ("    counter = CounterField()",),
            after="    text = models.TextField()",
        ),
        Edit(
            "notes/models.py",
            ("from footfall.models import CounterField",),
            after="from django.db import models",
        ),
        Edit(
            "notes/views.py",
            ("from footfall.record import arecord",),
            after="from notes.models import Note",
        ),
        Edit(
            "notes/views.py",
            ("    await arecord(note, request=request)",),
            after="    await asyncio.sleep(0.002)  # as if it asked another service",
        ),
    ),
    label="notes.note",
    migrations="notes",
    own_migrations=("notes",),
    seed="""
from notes.models import Note
notes = [Note.objects.create(text=f"Note {number}") for number in range(20)]
paths = {str(one.pk): f"/{one.pk}/" for one in notes}
""",
    tests="{python} manage.py test",
    serve="{python} -m uvicorn site_.asgi:application --workers 2 --port {port}"
    " --log-level warning",
    environment=DATABASE,
)

WRITTEN = (PAGES, BLOG, API, ASGI)
