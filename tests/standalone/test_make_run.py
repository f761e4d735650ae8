"""What ends `make run` at its start. `tests/live` has one that runs."""

import socket
from pathlib import Path

from loadtest.common.launcher import Copy


def test_a_busy_port_is_named_before_anything_starts(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        copy = Copy(data_dir, server.getsockname()[1])

        assert copy.process.wait(60) == 2
    assert f"footfall: PORT {copy.port} cannot be used" in copy.output
    assert not (data_dir / "postgres").exists()


def test_a_wrong_setting_ends_the_start_with_its_name(data_dir: Path, free_port: int) -> None:
    copy = Copy(data_dir, free_port, DJANGO_SECRET_KEY="short")

    assert copy.process.wait(60) == 1
    assert "DJANGO_SECRET_KEY" in copy.output
    assert "`manage.py firstadmin` ended with exit code 1" in copy.output
    assert not copy.leftovers()
