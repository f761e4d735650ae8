"""MariaDB, or MySQL, as a child process of a test run: a directory and a socket of its own."""

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote

from loadtest.common.stores import Store
from standalone import directories
from standalone.program import Program, StoreError, user_options

SOCKET = "mysql.sock"
DATABASE = "footfall"
# Debian's packages put the servers where only root looks.
PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
INSTALL = "apt-get install --yes --no-install-recommends mariadb-server"


class MariaDB(Store):
    """The server that is installed, on an empty database. Never the service of the system.

    What is committed survives a killed server, but not a power failure.
    """

    name = "mariadb"

    def prepare(self) -> None:
        self.uid = directories.unprivileged_uid(self.directory)
        self.directory = directories.own_directory(self.directory, self.uid)
        self.sockets = directories.socket_directory(self.directory, SOCKET, self.uid)
        self.binary = _found("mariadbd", "mysqld")
        self.data = self.directory / "data"
        if not self.data.exists():
            self._run(*self._installer(), "--no-defaults", f"--datadir={self.data}")

    def program(self) -> Program:
        options = {
            "datadir": str(self.data),
            "socket": str(self.sockets / SOCKET),
            "pid-file": str(self.sockets / "mysql.pid"),
            "tmpdir": str(self.directory),
            "innodb-flush-log-at-trx-commit": "0",
            "innodb-doublewrite": "0",
            "loose-sync-frm": "0",  # of MariaDB alone
            "innodb-buffer-pool-size": "128M",
            "default-time-zone": "+05:45",  # nothing may depend on it
        }
        command = [self.binary, "--no-defaults", "--skip-networking", "--skip-log-bin"]
        return Program(
            name=self.name,
            command=[*command, *(f"--{name}={value}" for name, value in options.items())],
            directory=self.directory,
            environment=os.environ,
            stop_timeout=20.0,
            uid=self.uid,
            ignored_lines=re.compile(r".*\[(Note|System)\]"),
        )

    @property
    def url(self) -> str:
        path = quote(str(self.sockets / SOCKET), safe="")
        return f"mysql://root@localhost/{DATABASE}?unix_socket={path}"

    def ready(self) -> bool:
        import pymysql  # takes 0.2 s, which tests on PostgreSQL need not wait

        path = str(self.sockets / SOCKET)
        try:
            with socket.socket(socket.AF_UNIX) as trial:
                trial.connect(path)  # PyMySQL leaves its own open when this fails
            connection = pymysql.connect(unix_socket=path, user="root")
        except (OSError, pymysql.OperationalError):
            return False
        with connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE} CHARACTER SET utf8mb4")
        return True

    def _installer(self) -> list[str]:
        script = shutil.which("mariadb-install-db", path=PATH)
        if script is None:
            return [self.binary, "--initialize-insecure"]
        return [script, "--auth-root-authentication-method=normal", "--skip-test-db"]

    def _run(self, program: str, *options: str) -> None:
        # Each wants to be the first.
        options = tuple(sorted(options, key="--no-defaults".__ne__))
        done = subprocess.run(
            [program, *options],
            text=True, check=False, cwd=self.directory,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            **user_options(self.uid),
        )  # fmt: skip
        if done.returncode:
            raise StoreError(f"{program} failed in {self.directory}:\n{done.stdout}")


def _found(*names: str) -> str:
    for name in names:
        if path := shutil.which(name, path=PATH):
            return path
    raise StoreError(
        f"MariaDB is missing. Install it ({INSTALL}), or name a server:"
        " DATABASE_URL=mysql://user:password@host:3306/footfall"
    )


def install() -> None:
    """Install Debian's MariaDB, if there is no server and this process may; raise `StoreError`."""
    try:
        _found("mariadbd", "mysqld")
    except StoreError:
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise
        # The package would start a service for the whole machine.
        policy = Path("/usr/sbin/policy-rc.d")
        ours = not policy.exists()
        if ours:
            policy.write_text("#!/bin/sh\nexit 101\n")
            policy.chmod(0o755)
        try:
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            for command in ("apt-get update --quiet --quiet", f"{INSTALL} --quiet --quiet"):
                subprocess.run(command.split(), check=True, env=environment)
        except subprocess.CalledProcessError as error:
            raise StoreError(f"{error}") from error
        finally:
            if ours:
                policy.unlink()
        _found("mariadbd", "mysqld")
