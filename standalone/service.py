"""The programs of the service, beside its stores, and their variables."""

import os
import re
import resource
import shlex
import sys
from collections.abc import Mapping
from typing import Any

from standalone import addresses
from standalone.configuration import ROOT, Configuration
from standalone.program import Program

# Celery warns at each start as root.
CELERY_AS_ROOT = "ignore:You're running the worker with superuser privileges"

# Connections of a process of the web server; more than these wait in the kernel.
CONNECTIONS = 8192
# File descriptors that it needs for anything else.
DESCRIPTORS = 512


def environment(
    configuration: Configuration, given: Mapping[str, str], stores: Mapping[str, str]
) -> dict[str, str]:
    """Return the children's variables: `given`, the addresses of the stores, and defaults."""
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


def manage(environment: Mapping[str, str], *command: str) -> Program:
    return _python(environment, command[0], "manage.py", *command)


def programs(configuration: Configuration, environment: Mapping[str, str]) -> list[Program]:
    """Return the programs that run as long as the service does, in the order of starting."""
    return [
        _celery_worker(environment, "flusher", queues="counters", threads=1),
        # All else in one process, beat too: each takes 80 MB.
        _celery_worker(environment, "worker", "--with-beat", queues="celery,uploads", threads=6),
        _web(configuration, environment),
    ]


def greeting(configuration: Configuration, administrator: list[str]) -> list[str]:
    """Return the lines that tell the user what to try."""
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
    """Return the shell command that runs manage.py on the stores of this copy."""
    words = [os.path.relpath(sys.executable, ROOT), "manage.py"]
    if words[0].startswith(".."):
        words[0] = sys.executable
    if configuration.data_dir != Configuration().data_dir:
        words.insert(0, f"DATA_DIR={configuration.data_dir}")
    return " ".join(map(shlex.quote, words))


def limits() -> list[str]:
    """Return granian's arguments against clients that connect and send nothing.

    `--backpressure` limits connections, not requests. With `--http 1`, a connection has 10 seconds
    to send the headers of a request; with `auto`, granian waits without limit for the first byte.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = CONNECTIONS if most == resource.RLIM_INFINITY else min(CONNECTIONS, most - DESCRIPTORS)
    return [
        "--http", "1", "--http1-header-read-timeout", "10000",
        "--backpressure", str(max(room, 128)), "--backlog", "4096",
    ]  # fmt: skip


def _web(configuration: Configuration, environment: Mapping[str, str]) -> Program:
    return _python(
        environment, "web", "-m", "project.web_server", "project.wsgi:application",
        "--interface", "wsgi", "--host", configuration.host, "--port", str(configuration.port),
        "--workers", "2", "--blocking-threads", "16", *limits(),
        # Each thread is a producer: a thread that ends and starts again would be a new one.
        "--blocking-threads-idle-timeout", "600",
        "--respawn-interval", "0.2", "--workers-kill-timeout", "8",
        "--no-access-log", "--log-level", "warning",
        ignored_lines=re.compile(r".*Configuration allows spawning up to \d+ Python threads"),
    )  # fmt: skip


def _celery_worker(
    environment: Mapping[str, str], name: str, *arguments: str, queues: str, threads: int
) -> Program:
    return _python(
        environment, name, "-m", "project.celery_worker", "--loglevel", "WARNING",
        "--queues", queues, "--hostname", f"{name}@%h",
        "--pool", "threads", "--concurrency", str(threads), "--without-gossip", "--without-mingle",
        *arguments,
        stop_timeout=30.0,  # a running task is finished
    )  # fmt: skip


def _python(environment: Mapping[str, str], name: str, *arguments: str, **options: Any) -> Program:
    return Program(name, [sys.executable, *arguments], ROOT, environment, **options)
