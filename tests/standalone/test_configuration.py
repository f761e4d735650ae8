import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from standalone import configuration
from standalone.configuration import ROOT, Configuration, ConfigurationError


def test_the_defaults() -> None:
    assert configuration.read({}) == Configuration("127.0.0.1", 8000, ROOT / ".data")


def test_the_environment_is_honoured(tmp_path: Path) -> None:
    given = {"HOST": "0.0.0.0", "PORT": "8001", "DATA_DIR": str(tmp_path)}  # noqa: S104

    assert configuration.read(given) == Configuration("0.0.0.0", 8001, tmp_path)  # noqa: S104
    assert configuration.read(given).address == "http://127.0.0.1:8001"


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "80 80", "٣"])
def test_a_port_that_is_none_is_named(port: str) -> None:
    with pytest.raises(ConfigurationError, match="PORT"):
        configuration.read({"PORT": port})


def test_a_free_port_can_be_used(free_port: int) -> None:
    configuration.check_port(Configuration(port=free_port))


def test_a_busy_port_is_named_with_another_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"PORT {port} .* make run"):
            configuration.check_port(Configuration(port=port))


@pytest.mark.skipif(sys.platform != "linux", reason="there, workers share one socket")
def test_a_copy_that_is_starting_has_its_port_already(free_port: int) -> None:
    wanted = Configuration(port=free_port)
    with configuration.hold_port(wanted):
        with pytest.raises(ConfigurationError, match=f"PORT {free_port}"):
            configuration.check_port(wanted)
        with socket.socket() as worker:  # as granian's
            worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            worker.bind((wanted.host, free_port))
            worker.listen()
            socket.create_connection((wanted.host, free_port), 5).close()
            worker.accept()[0].close()
    configuration.check_port(wanted)


def test_a_host_that_is_none_is_named() -> None:
    with pytest.raises(ConfigurationError, match="HOST"):
        configuration.check_port(Configuration(host="256.256.256.256"))


def test_a_data_directory_has_one_user_at_a_time(tmp_path: Path) -> None:
    held = "\n".join(  # another process: a lock of one's own would not be in the way
        [
            "import sys; from pathlib import Path",
            "from standalone.configuration import lock_data_dir",
            f"with lock_data_dir(Path({str(tmp_path)!r})):",
            "    print('held', flush=True); sys.stdin.read()",
        ]
    )
    with subprocess.Popen(
        [sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        with (
            pytest.raises(ConfigurationError, match=f"in use by process {other.pid}"),
            configuration.lock_data_dir(tmp_path),
        ):
            pass
        other.communicate()

    with configuration.lock_data_dir(tmp_path):
        pass


def test_a_data_directory_that_is_made_is_closed_to_others(tmp_path: Path) -> None:
    with configuration.lock_data_dir(tmp_path / "new"):
        assert (tmp_path / "new").stat().st_mode & 0o077 == (0 if os.geteuid() else 0o011)
        assert (tmp_path / "new" / "lock").stat().st_mode & 0o777 == 0o600


def test_what_was_open_in_a_data_directory_is_closed(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir(mode=0o755)
    (tmp_path / "lock").touch(mode=0o644)

    with configuration.lock_data_dir(tmp_path):
        assert (tmp_path / "media").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with (
        pytest.raises(ConfigurationError, match="DATA_DIR"),
        configuration.lock_data_dir(tmp_path / "file"),
    ):
        pass
