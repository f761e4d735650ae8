"""The wheel in another Django project: installed, one line added, its own model counted."""

import os
import re
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from loadtest.common.waiting import wait_until
from tests.wheel.forked import Python

README = (settings.BASE_DIR / "wheel/README.md").read_text()

MODELS = """
from django.db import models
from footfall.models import Countable


class Article(Countable):
    title = models.CharField(max_length=200)
"""
VIEWS = """
from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from footfall.record import record
from news.models import Article


def article(request, pk):
    article = get_object_or_404(Article, pk=pk)
    record(article)
    return JsonResponse({"views": article.counter})
"""
SETTINGS = """
import os
from elsewhere.settings import *

INSTALLED_APPS += ["news", "hitcount"]
{said_in_the_readme}
COUNTERS_LOG_URL = os.environ["REDIS_URL"]
CELERY_BROKER_URL = {broker!r}
COUNTERS_LOG_PREFIX = "elsewhere"
DATABASES["default"]["OPTIONS"] = {{"transaction_mode": "IMMEDIATE", "timeout": 20}}
ALLOWED_HOSTS = ["testserver"]
"""
CELERY = """
from celery import Celery

app = Celery("elsewhere")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
{said_in_the_readme}
"""
URLS = """
from django.contrib import admin
from django.urls import path
from news.views import article

urlpatterns = [path("admin/", admin.site.urls), path("<int:pk>/", article)]
"""
# What django-hitcount 1.3 has in its table, as far as a move needs it.
HITCOUNT = """
from django.contrib.contenttypes.models import ContentType
from django.db import models


class HitCount(models.Model):
    hits = models.PositiveIntegerField(default=0)
    object_pk = models.PositiveIntegerField()
    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)

    class Meta:
        db_table = "hitcount_hit_count"
"""

MIGRATE = """
import importlib
import django
from django.core.management import call_command

django.setup()
call_command("makemigrations", "news", "hitcount")
importlib.invalidate_caches()
call_command("migrate", verbosity=0)
"""

Run = Callable[..., str]


def said(language: str, containing: str) -> str:
    """Return the block of code in the README that contains a text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (block,) = (block for block in blocks if containing in block)
    return str(block)


@pytest.fixture(scope="module")
def project(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that `startproject` made, with what the wheel's README says, and an app."""
    root = tmp_path_factory.mktemp("project")
    with zipfile.ZipFile(wheel) as archive:  # what `pip install --no-deps` does with a pure one
        archive.extractall(root / "site")
    call_command("startproject", "elsewhere", str(root))
    schedule_said, celery_said = said("python", "BEAT_SCHEDULE").split("# celery.py")
    settings_said = said("python", "COUNTERS_LOG_URL") + schedule_said
    celery_said = celery_said.partition("\n")[2]
    files = {
        "elsewhere/local.py": SETTINGS.format(
            said_in_the_readme=settings_said, broker=settings.CELERY_BROKER_URL
        ),
        "elsewhere/celery.py": CELERY.format(said_in_the_readme=celery_said),
        "elsewhere/__init__.py": "from elsewhere.celery import app\n",
        "elsewhere/urls.py": URLS,
        "news/models.py": MODELS,
        "news/views.py": VIEWS,
        "hitcount/models.py": HITCOUNT,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    for app in ("news", "hitcount"):
        (root / app / "__init__.py").touch()
    return root


def environment(project: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "REDIS_URL")}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "elsewhere.local",
        "PYTHONPATH": os.pathsep.join((str(project), str(project / "site"))),
    }


@pytest.fixture(scope="module")
def run(project: Path, python: Python) -> Run:
    def run(*command: str) -> str:
        done = python.run(*command, cwd=project, env=environment(project))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("-c", MIGRATE)
    return run


def shell(run: Run, *lines: str) -> str:
    setup = ("import django; django.setup()", "from news.models import Article")
    return run("-c", "\n".join((*setup, *lines))).strip()


def test_the_wheel_counts_another_projects_model(run: Run, project: Path, python: Python) -> None:
    read_three_times = (
        "import footfall; print(footfall.__file__)",
        "from django.test import Client",
        "pk = Article.objects.create(title='First').pk",
        "print([Client().get(f'/{pk}/').status_code for _ in range(3)])",
        "print(pk)",
    )
    where, answered, pk = shell(run, *read_three_times).splitlines()
    assert where.startswith(str(project / "site"))
    assert answered == "[200, 200, 200]"

    flusher = "celery --quiet -A elsewhere worker -Q counters -n flusher@%h --pool threads -c 1"
    worker = python.start("-m", *flusher.split(), cwd=project, env=environment(project))
    try:
        with closing(sqlite3.connect(project / "db.sqlite3")) as database:
            counter = f"SELECT counter FROM news_article WHERE id = {int(pk)}"  # noqa: S608
            wait_until(lambda: database.execute(counter).fetchone() == (3,), 30)
    finally:
        worker.terminate()
        assert worker.wait().returncode == 0

    assert "clean" in run("manage.py", "counters", "audit")


@pytest.mark.long
def test_the_dashboard_needs_no_django_celery_beat(run: Run) -> None:
    text = shell(
        run,
        "from django.contrib.auth.models import User",
        "from django.test import Client",
        "from footfall.ops.workers import inspector",
        "inspector.workers(timeout=60)",  # to be asked takes a busy machine longer than a page
        "client = Client()",
        "client.force_login(User.objects.create_superuser('operator'))",
        "print(client.get('/admin/counters/dashboard/health/').content.decode())",
    )

    assert "No worker serves the queue" in text
    assert "Beat" not in text


# A project without any of what is extra, in one process: it is migrated, viewed, counted, audited.
CORE = """
import sys

for name in ("celery", "kombu", "prometheus_client", "rest_framework", "django_celery_beat"):
    sys.modules[name] = None  # as if it were not installed

import os
import django
from django.conf import settings
from django.core.management import call_command

ADMIN = ("admin", "auth", "contenttypes", "sessions", "messages")
settings.configure(
    INSTALLED_APPS=[*(f"django.contrib.{app}" for app in ADMIN), "footfall", "news"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "core.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20}}},
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
        "OPTIONS": {"context_processors": [
            "django.template.context_processors.request",
            "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages"]}}],
    ROOT_URLCONF="elsewhere_urls", STATIC_URL="/static/", ALLOWED_HOSTS=["testserver"],
    SECRET_KEY="core", DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    COUNTERS_LOG_URL=os.environ["REDIS_URL"], COUNTERS_LOG_PREFIX="core", USE_TZ=True,
)
import types
urls = sys.modules["elsewhere_urls"] = types.ModuleType("elsewhere_urls")
django.setup()
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import path
from news.models import Article
from news.views import article

urls.urlpatterns = [path("admin/", admin.site.urls), path("<int:pk>/", article)]
call_command("migrate", verbosity=0)
call_command("check", fail_level="WARNING")
client = Client()
pk = Article.objects.create(title="First").pk
assert [client.get(f"/{pk}/").status_code for _ in range(3)] == [200] * 3
call_command("counters", "flush")
assert Article.objects.get().counter == 3
call_command("counters", "audit")
client.force_login(User.objects.create_superuser("operator"))
assert client.get("/admin/counters/dashboard/").status_code == 200
assert client.post("/admin/counters/dashboard/audit/").status_code == 302
print("everything")
"""


# `manage.py` with a Redis that is away.
AWAY = """
import os
import sys

os.environ["REDIS_URL"] = "redis://127.0.0.1:1/0"
from django.core.management import execute_from_command_line

execute_from_command_line(["manage.py", *sys.argv[1:]])
"""


def test_the_core_needs_django_and_redis_alone(run: Run, project: Path) -> None:
    done = subprocess.run(  # not forked: Celery would be loaded
        [sys.executable, "-c", CORE],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("everything\n"), done.stdout + done.stderr


# What an adopter's own tests look like. Redis is away: they need none, and reach none.
TESTS = """
from django.test import TestCase, TransactionTestCase
from footfall.testing import flush
from news.models import Article


class Cases:
    def test_a_view_is_counted(self):
        article = Article.objects.create(title="Read")
        with self.assertNumQueries(1):
            self.client.get(f"/{article.pk}/")
        flush()
        article.refresh_from_db()
        self.assertEqual(article.counter, 1)

    def test_none_is_left_for_the_next_test(self):
        self.client.get(f"/{Article.objects.create(title='Read').pk}/")

    def test_the_same_again(self):
        self.test_none_is_left_for_the_next_test()
        self.assertEqual(flush(), 1)


class InATransaction(Cases, TestCase):
    pass


class Committed(Cases, TransactionTestCase):
    pass
"""


@pytest.mark.long
def test_the_tests_of_a_project_need_no_redis(run: Run, project: Path) -> None:
    as_in_the_readme = "from django.test import TestCase\n" + said("python", "footfall.testing")
    (project / "news" / "tests.py").write_text(TESTS + as_in_the_readme)

    run("-c", AWAY, "test", "news")


FIXTURES = """
from news.models import Article


def test_fixtures(client, count_views, recorded_views):
    pk = Article.objects.create(title="Read").pk
    client.get(f"/{pk}/")
    assert recorded_views() == [{"news.article": [pk]}]
    assert count_views() == 1
    assert Article.objects.get().counter == 1
"""
PYTEST = """
import os
import sys
import pytest

os.environ["REDIS_URL"] = "redis://127.0.0.1:1/0"
# Plugins that are installed beside ours: to load them takes seconds.
others = "anyio faker hypothesispytest locust playwright randomly schemathesis slipcover xdist"
off = [word for name in others.split() for word in ("-p", f"no:{name}")]
few = [*off, "-p", "no:cacheprovider", "--nomigrations"]
sys.exit(pytest.main(["-q", *few, "news/test_fixtures.py"]))
"""


def test_the_fixtures_for_pytest_are_there_by_themselves(run: Run, project: Path) -> None:
    (project / "news" / "test_fixtures.py").write_text(FIXTURES)

    assert "1 passed" in run("-c", PYTEST)


def test_the_distribution_is_one_typed_package_with_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        said = archive.read(metadata).decode()

    packages = {name.partition("/")[0] for name in names}
    assert {name for name in packages if not name.endswith(".dist-info")} == {"footfall"}
    assert {"footfall/py.typed", "footfall/CHANGELOG.md"} <= {*names}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    needed = re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", said, re.MULTILINE)
    assert sorted(needed) == ["crawler-user-agents", "django", "redis"]


def test_the_counts_of_django_hitcount_move_over(run: Run) -> None:
    kept = (
        "from hitcount.models import HitCount as Kept",
        "from django.contrib.contenttypes.models import ContentType",
        "article = Article.objects.create(title='Old')",
        "kind = ContentType.objects.get_for_model(Article)",
        "Kept.objects.create(hits=1234, object_pk=article.pk, content_type=kind)",
    )

    moved = shell(
        run,
        *kept,
        "from django.core.management import call_command",
        "call_command('counters', 'adopt', 'news.article', '--from', 'hitcount')",
        "call_command('counters', 'audit')",
    )

    adopted, audit = moved.splitlines()
    assert adopted.endswith("1234 views of 1 targets from hitcount_hit_count are in the base")
    assert audit.startswith("clean")


def test_a_project_without_the_address_of_redis_is_told(run: Run) -> None:
    lines = (
        "from django.conf import settings; del settings.COUNTERS_LOG_URL",
        "from footfall.record import record",
        "try: record(Article.objects.create(title='x'))",
        "except Exception as error: print(repr(error))",
    )

    assert shell(run, *lines) == "ImproperlyConfigured('The setting COUNTERS_LOG_URL is missing.')"
