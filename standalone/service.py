"""What the service consists of beside its stores: the programs, and the variables they get."""

import os
import re
import resource
import shlex
import sys
from collections.abc import Mapping

from standalone import addresses
from standalone.configuration import ROOT, Configuration
from standalone.program import Program

# Celery says at each start that root should not run it. A user who runs this as root knows it.
CELERY_AS_ROOT = "ignore:You're running the worker with superuser privileges"

# That a process of the web server holds at once; others wait in the kernel until there is room.
CONNECTIONS = 8192
# That it needs beside those of its connections: stores, files, modules.
DESCRIPTORS = 512


def environment(
    configuration: Configuration, given: Mapping[str, str], stores: Mapping[str, str]
) -> dict[str, str]:
    """Return the children's variables: those `given`, the stores' addresses, and defaults."""
    data_dir = configuration.data_dir
    warnings = filter(None, (given.get("PYTHONWARNINGS"), CELERY_AS_ROOT))
    return {
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
        "DJANGO_HTTPS": "false",  # plain HTTP, on one's own machine
        "SITE_URL": configuration.address,
        **given,
        **stores,
        "DJANGO_SECRET_KEY": given.get("DJANGO_SECRET_KEY")
        or addresses.ensure_secret_key(data_dir),
        "DATA_DIR": str(data_dir),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": ",".join(warnings),
    }


def once(environment: Mapping[str, str], *command: str) -> Program:
    """Return `manage.py command`, which runs before the service starts."""
    return _python(environment, command[0], "manage.py", *command)


def programs(configuration: Configuration, environment: Mapping[str, str]) -> list[Program]:
    """Return what runs for as long as the service does, in the order of starting."""
    return [
        _celery_worker(environment, "flusher", queue="counters", threads=1),
        _celery_worker(environment, "worker", queue="celery", threads=4),
        # Each file is looked at by a process of its own, so more threads would be no faster.
        _celery_worker(
            environment, "uploader", queue="uploads", threads=min(2, os.cpu_count() or 1)
        ),
        _celery(environment, "beat", "beat"),
        _web(configuration, environment),
    ]


def what_to_try(configuration: Configuration, administrator: list[str]) -> list[str]:
    """Return the lines that greet the user who started the service."""
    address = configuration.address
    return [
        "",
        f"  the API      {address}/api/v1/docs/",
        f"  the admin    {address}/admin/",
        *(f"               {line}" for line in administrator),
        f"  the pages    curl {address}/api/v1/pages/",
        f"  count views  curl {address}/api/v1/pages/1/",
        f"  send files   {address}/upload/",
        f"  look inside  {_manage(configuration)} counters status",
        "",
    ]


def _manage(configuration: Configuration) -> str:
    """Return the words that run manage.py on this copy's stores, from the project's folder."""
    words = [os.path.relpath(sys.executable, ROOT), "manage.py"]
    if words[0].startswith(".."):
        words[0] = sys.executable
    if configuration.data_dir != Configuration().data_dir:
        words.insert(0, f"DATA_DIR={configuration.data_dir}")
    return " ".join(map(shlex.quote, words))


def limits() -> list[str]:
    """Return granian's arguments that keep clients which send nothing from filling it.

    A connection counts against `--backpressure`, not a request. With HTTP/1 alone it has 10 seconds
    for the headers of a request from its first byte on or before; `auto` would wait for ever for
    the byte that tells which version it is.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = CONNECTIONS if most == resource.RLIM_INFINITY else min(CONNECTIONS, most - DESCRIPTORS)
    return [
        "--http", "1", "--http1-header-read-timeout", "10000",
        "--backpressure", str(max(room, 128)), "--backlog", "4096",
    ]  # fmt: skip


def _web(configuration: Configuration, environment: Mapping[str, str]) -> Program:
    return _python(
        environment, "web", "-m", "granian", "project.wsgi:application",
        "--interface", "wsgi", "--host", configuration.host, "--port", str(configuration.port),
        "--workers", "2", "--blocking-threads", "16", *limits(),
        # A thread is a writer's session, and a thread that idles keeps it.
        "--blocking-threads-idle-timeout", "600",
        "--respawn-failed-workers", "--respawn-interval", "0.2", "--workers-kill-timeout", "8",
        "--no-access-log", "--log-level", "warning",
        noise=re.compile(r".*Configuration allows spawning up to \d+ Python threads"),
    )  # fmt: skip


def _celery_worker(
    environment: Mapping[str, str], name: str, *, queue: str, threads: int
) -> Program:
    return _celery(
        environment, name, "worker", "--queues", queue, "--hostname", f"{name}@%h",
        "--pool", "threads", "--concurrency", str(threads), "--without-gossip", "--without-mingle",
        patience=30.0,  # a task that runs is finished
    )  # fmt: skip


def _celery(
    environment: Mapping[str, str], name: str, *arguments: str, patience: float = 10.0
) -> Program:
    return _python(
        environment, name, "-m", "celery", "--quiet", "--app", "project",
        *arguments, "--loglevel", "WARNING", patience=patience,
    )  # fmt: skip


def _python(
    environment: Mapping[str, str],
    name: str,
    *arguments: str,
    patience: float = 10.0,
    noise: re.Pattern[str] | None = None,
) -> Program:
    return Program(
        name,
        [sys.executable, *arguments],
        ROOT,
        environment,
        patience=patience,
        noise=noise,
    )
