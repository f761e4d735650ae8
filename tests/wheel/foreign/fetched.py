"""Projects that were written elsewhere, each at a commit that was tried.

None of their code is here: only what is added to it, and the line below which that goes.
"""

from tests.wheel.foreign.adopter import Adopter, Edit

GUNICORN = "{python} -m gunicorn --workers 2 --threads 2 --bind 127.0.0.1:{port}"

BAKERY = Adopter(
    name="bakerydemo",
    kind="pages",
    repository="wagtail/bakerydemo",
    commit="8e2b625755d8942412d5b7627b146a795933b8b2",
    packages=("-r", "requirements/development.txt", "psycopg[binary]>=3.3.3,<3.4", "gunicorn"),
    patch=(
        Edit(
            "bakerydemo/settings/base.py",
            (
                'INSTALLED_APPS.append("footfall")',
                'COUNTERS_LOG_URL = os.environ.get("REDIS_URL")',
                'COUNTERS_MODELS = ["wagtailcore.Page"]',
            ),
        ),
        Edit(
            "bakerydemo/base/wagtail_hooks.py",
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
    prepare=("{python} manage.py load_initial_data",),
    seed="""
from bakerydemo.blog.models import BlogPage
paths = {str(page.pk): page.get_url() for page in BlogPage.objects.live()}
""",
    tests="{python} manage.py test",
    testing={"DJANGO_SETTINGS_MODULE": "bakerydemo.settings.test", "DATABASE_URL": ""},
    serve=f"{GUNICORN} bakerydemo.wsgi",
    environment={"DATABASE_URL": "postgres:///{database}"},
)

BLOG = Adopter(
    name="DjangoBlog",
    kind="blog",
    repository="liangliangyy/DjangoBlog",
    commit="48e0308c2fd4fc1e98213b1c3087e92d0b684694",
    packages=("-r", "requirements.txt", "gunicorn"),
    patch=(
        Edit(
            "djangoblog/settings.py",
            (
                "INSTALLED_APPS.append('footfall')",
                "COUNTERS_LOG_URL = os.environ.get('REDIS_URL')",
                "USE_TZ = True",
            ),
        ),
        Edit(
            "blog/models.py",
            ("    counter = CounterField()",),
            after="    views = models.PositiveIntegerField(_('views'), default=0)",
        ),
        Edit(
            "blog/models.py",
            ("from footfall.models import CounterField",),
            after="from mdeditor.fields import MDTextField",
        ),
        Edit(
            "blog/views.py",
            (
                "from footfall.web.views import CountedViewMixin",
                "class ArticleDetailView(CountedViewMixin, DetailView):",
            ),
            after="class ArticleDetailView(DetailView):",
            instead=True,
        ),
    ),
    label="blog.article",
    migrations="blog",
    seed="""
from accounts.models import BlogUser
from blog.models import Article, Category
author = BlogUser.objects.create_superuser("author", "author@example.org", "x")
category = Category.objects.create(name="All")
for number in range(20):
    Article.objects.create(title=f"Article {number}", body="Text", author=author, category=category)
paths = {str(one.pk): one.get_absolute_url() for one in Article.objects.all()}
""",
    tests="{python} manage.py test",
    serve=f"{GUNICORN} djangoblog.wsgi",
    database="mysql",
    environment={
        "DJANGO_MYSQL_HOST": "{mysql}",
        "DJANGO_MYSQL_USER": "blog",
        "DJANGO_MYSQL_DATABASE": "{database}",
    },
    own_count="views",
)

IPAM = Adopter(
    name="openwisp-ipam",
    kind="api",
    repository="openwisp/openwisp-ipam",
    commit="bf7b1fff216214d0630fccdecd9645b540b3c949",
    siblings={
        "openwisp/openwisp-users": "e3ea44a9234620cb946c582f2f5aab33e88a6b26",
        "openwisp/openwisp-utils": "e0c2bdf21bec7dcf5551c54f1ff426425e66044e",
    },
    packages=(
        *("-r", "requirements.txt", "-r", "requirements-test.txt"),
        *("-e", ".", "Django~=5.2.0", "psycopg[binary]", "gunicorn"),
    ),
    patch=(
        Edit(
            "tests/openwisp2/settings.py",
            (
                'INSTALLED_APPS.append("footfall")',
                'COUNTERS_LOG_URL = os.environ.get("REDIS_URL")',
                'COUNTERS_MODELS = ["openwisp_ipam.Subnet"]',
            ),
            after="# local settings must be imported before test runner otherwise"
            " they'll be ignored",
        ),
        Edit(
            "openwisp_ipam/api/views.py",
            (
                "from footfall.web.rest import CountedRetrieveMixin",
                "class SubnetView(CountedRetrieveMixin, ProtectedAPIMixin,"
                " RetrieveUpdateDestroyAPIView):",
            ),
            after="class SubnetView(ProtectedAPIMixin, RetrieveUpdateDestroyAPIView):",
            instead=True,
        ),
    ),
    label="openwisp_ipam.subnet",
    folder="tests",
    seed="""
from django.contrib.auth import get_user_model
from rest_framework.authtoken.models import Token
from openwisp_ipam.models import Subnet
user = get_user_model().objects.create_superuser("reader", "reader@example.org", "x")
headers = {"Authorization": f"Bearer {Token.objects.create(user=user).key}"}
for number in range(20):
    Subnet.objects.create(name=f"Net {number}", subnet=f"10.0.{number}.0/24")
paths = {str(one.pk): f"/api/v1/ipam/subnet/{one.pk}/" for one in Subnet.objects.all()}
""",
    tests="{python} runtests.py --parallel 2",
    testing={"FOREIGN_TESTS": "1"},
    serve=f"{GUNICORN} --chdir tests openwisp2.wsgi",
    files={
        "tests/openwisp2/local_settings.py": """
import os
if "FOREIGN_TESTS" not in os.environ:
    DATABASES = {
        "default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["DATABASE"]}
    }
    ALLOWED_HOSTS = ["127.0.0.1"]
    DEBUG = False
""",
        "tests/openwisp2/wsgi.py": """
import os
from django.core.wsgi import get_wsgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openwisp2.settings")
application = get_wsgi_application()
""",
    },
    environment={"DATABASE": "{database}"},
)

NINJA = Adopter(
    name="realworld-django-ninja",
    kind="asgi",
    repository="c4ffein/realworld-django-ninja",
    commit="04ef47ced437ee8795a13bdcbc2eff2be19e33bd",
    packages=("-r", "pyproject.toml", "uvicorn"),
    patch=(
        Edit(
            "config/settings.py",
            (
                'INSTALLED_APPS.append("footfall")',
                'COUNTERS_LOG_URL = getenv("REDIS_URL")',
                # Its tests compare all fields of an article, so it gets none.
                'COUNTERS_MODELS = ["articles.Article"]',
            ),
        ),
        Edit(
            "apps/articles/admin.py",  # registers all models; Django refuses composite keys
            ('models = [m for m in apps.get_models() if m._meta.app_label != "counters"]',),
            after="models = apps.get_models()",
            instead=True,
        ),
        Edit(
            "apps/articles/api.py",
            ("from footfall.record import record",),
            after="from ninja.errors import AuthorizationError",
        ),
        Edit(
            "apps/articles/api.py",
            ("    record(article, request=request)",),
            after="def retrieve(request, slug: str) -> dict[str, Any]:\n"
            "    article = get_or_404(Article.objects.with_favorites(request.user),"
            ' "article", slug=slug)',
        ),
    ),
    label="articles.article",
    seed="""
from django.contrib.auth import get_user_model
from articles.models import Article
user = get_user_model().objects.create_user(
    username="author", email="author@example.org", password="x"
)
for number in range(20):
    Article.objects.create(author=user, title=f"Article {number}")
paths = {str(one.pk): f"/api/articles/{one.slug}" for one in Article.objects.all()}
""",
    tests="{python} manage.py test apps",
    testing={
        "DEBUG": "True",
        "DATABASE_URL": "file:memdb1?mode=memory&cache=shared",
        "USE_FAST_HASHER": "True",
    },
    serve="{python} -m uvicorn config.asgi:application --workers 2 --port {port}"
    " --log-level warning",
    environment={"DATABASE_URL": "postgresql:///{database}", "ALLOWED_HOSTS": "127.0.0.1"},
)

FETCHED = (BAKERY, BLOG, IPAM, NINJA)
