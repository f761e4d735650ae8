"""Clients that read too slowly are disconnected, and no others."""

import importlib
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from loadtest.common.waiting import wait_until
from project import slow_clients
from project.slow_clients import SlowClientWatch
from tests.support.processes import run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="It looks into /proc.")

PATIENCE = 0.3  # seconds
RATE = 1_000_000  # bytes per second


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def watch() -> SlowClientWatch:
    return SlowClientWatch(RATE, PATIENCE)


def connected(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Return the server's and the client's end of a connection that this process has accepted."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    client = stack.enter_context(socket.socket())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(listener.getsockname())
    server = stack.enter_context(listener.accept()[0])
    server.setblocking(False)
    return server, client


def fill(server: socket.socket) -> int:
    """Send until the buffers are full, and return the number of bytes."""
    sent = 0
    try:
        while True:
            sent += server.send(bytes(65536))
    except BlockingIOError:
        return sent


def read_all(client: socket.socket) -> None:
    while client.recv(65536):
        pass


def cut_while(watch: SlowClientWatch, seconds: float = 3 * PATIENCE) -> int:
    cut = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        cut += watch.check()
        time.sleep(PATIENCE / 10)
    return cut


def test_who_reads_nothing_is_cut_off(watch: SlowClientWatch, stack: ExitStack) -> None:
    server, client = connected(stack)
    fill(server)

    wait_until(watch.check, 5)

    with pytest.raises(BrokenPipeError):
        server.send(b"more")
    server.close()
    with pytest.raises(ConnectionResetError):  # nothing is kept until the client asks for it
        read_all(client)


def test_who_reads_too_slowly_is_cut_off(watch: SlowClientWatch, stack: ExitStack) -> None:
    server, client = connected(stack)

    def slowly() -> int:
        fill(server)
        client.recv(5000)
        return watch.check()

    wait_until(slowly, 5)


def test_who_reads_fast_enough_is_not(watch: SlowClientWatch, stack: ExitStack) -> None:
    server, client = connected(stack)
    cut = 0
    end = time.monotonic() + 3 * PATIENCE
    while time.monotonic() < end:
        fill(server)
        for _ in range(20):
            client.recv(65536)
        cut += watch.check()

    assert cut == 0


def test_who_has_read_all_may_stay_silent(watch: SlowClientWatch, stack: ExitStack) -> None:
    server, _ = connected(stack)
    server.send(b"short")

    assert cut_while(watch) == 0


def test_a_store_that_is_slow_is_not_cut_off(watch: SlowClientWatch, stack: ExitStack) -> None:
    """This process opened the connection; the other end is another process."""
    program = "import socket, sys, time; s = socket.create_server(('127.0.0.1', 0)); "
    program += "print(s.getsockname()[1], flush=True); a = s.accept(); sys.stdin.read()"
    command = [sys.executable, "-c", program]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    stack.enter_context(process)
    stack.callback(process.kill)
    assert process.stdout
    ours = stack.enter_context(socket.socket())
    ours.connect(("127.0.0.1", int(process.stdout.readline())))
    ours.setblocking(False)
    fill(ours)

    assert cut_while(watch) == 0


def start_to_serve() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 4096))
    importlib.import_module("project.wsgi")
    sys.stdout.write(str(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))


def test_a_process_may_have_as_many_connections_as_the_system_lets_it() -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4096:
        pytest.skip("The system lets it have few.")

    done = run(os.environ, start_to_serve)

    assert done.stdout.split() == ["4096"], done.stderr


def say_whether_it_watches() -> None:
    sys.stdout.write(f"{'slow-clients' in [one.name for one in threading.enumerate()]} ")
    sys.stdout.flush()


def fork_to_serve() -> None:
    slow_clients.only_forks = True
    importlib.import_module("project.wsgi")
    say_whether_it_watches()
    child = os.fork()
    if child == 0:
        say_whether_it_watches()
        os._exit(0)
    os.waitpid(child, 0)


def test_a_fork_of_a_process_that_serves_no_client_watches_its_own() -> None:
    done = run(os.environ, fork_to_serve)

    assert done.stdout.split() == ["False", "True"], done.stderr
