"""A Postgres of the tests' own: made in a temporary folder, started on a free port, gone at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg

from replay.settings import Postgres

if TYPE_CHECKING:
    from collections.abc import Collection

USER = "postgres"  # who the server runs as where the tests run as root, which it refuses
LOCKED = "locked"  # a user who needs a password
PASSWORD = "p-that-nobody-may-see"
OPTIONS = {
    "fsync": "off",  # what a killed machine leaves is not looked at here
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "log_min_messages": "panic",
}
HBA = f"host all {LOCKED} 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"


def programs() -> Path | None:
    """Where initdb and postgres are; None where Postgres is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    named = shutil.which("postgres")
    if not found and named is None:
        return None
    return (found[-1] if found else Path(named or "").resolve()).parent


def lacking(programs: Path | None, uid: int, users: Collection[str]) -> str | None:
    """What a Postgres cannot be started without here; None where nothing is missing."""
    if programs is None:
        return "Postgres is not installed: apt-get install postgresql"
    if uid == 0 and USER not in users:
        return f"Postgres does not run as root, and there is no user {USER}: adduser --system {USER}"
    return None


class MissingError(Exception):
    """No Postgres can be started here."""


class Server:
    """A server from `with` to its end; `restart` and `kill` are its faults. Raises MissingError."""

    def __init__(self) -> None:
        found = programs()
        missing = lacking(found, os.getuid(), {entry.pw_name for entry in pwd.getpwall()})
        if found is None or missing:
            raise MissingError(missing)
        self._programs = found
        self._folder = Path(tempfile.mkdtemp(prefix="replay-postgres-"))
        self._as: dict[str, Any] = {}
        if os.getuid() == 0:
            shutil.chown(self._folder, USER)
            self._as = {"user": USER, "group": pwd.getpwnam(USER).pw_gid, "extra_groups": []}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def __enter__(self) -> Self:
        data = self._folder / "data"
        command = [self._programs / "initdb", "-D", data, "-U", "tester", "-A", "trust", "-N", "-E", "UTF8"]
        subprocess.run(command, cwd=self._folder, capture_output=True, check=True, **self._as)
        (data / "pg_hba.conf").write_text(HBA)
        self.start()
        self.tell(f"CREATE USER {LOCKED} SUPERUSER PASSWORD '{PASSWORD}'")
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    @property
    def url(self) -> str:
        return f"postgresql://tester@127.0.0.1:{self.port}/postgres"

    @property
    def place(self) -> Postgres:
        return Postgres(self.url)

    def start(self) -> None:
        options = [f"--{name}={value}" for name, value in OPTIONS.items()]
        command = [self._programs / "postgres", "-D", self._folder / "data", "-p", str(self.port), *options]
        self._process = subprocess.Popen(
            command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._as
        )
        give_up = time.monotonic() + 300
        while True:
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError:
                if time.monotonic() > give_up or self._process.poll() is not None:
                    raise
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._process.send_signal(3)  # SIGQUIT: an immediate shutdown, with its children
        self._process.wait()

    def tell(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as database:
            database.execute(statement)  # type: ignore[call-overload]

    def empty(self) -> None:
        """Forget every ledger."""
        self.tell("SET client_min_messages = error; DROP SCHEMA IF EXISTS hackle_replay CASCADE")
