"""A PostgreSQL server of the tests' own, from Debian's package, on a free port of 127.0.0.1, with its data in a temporary folder."""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_USER = "postgres"
_DEBIAN = Path("/usr/lib/postgresql")  # Debian's place of the server's programs, which are not on PATH

# Nothing here must survive a crash.
_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_senders": "0",
    "wal_level": "minimal",
}


def program(name: str) -> Path | None:
    """A program of the newest installed server; None: none is installed."""
    found = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1]
    on_path = shutil.which(name)
    return Path(on_path) if on_path else None


class PostgresServer:
    """Running from :meth:`__init__` to :meth:`stop`."""

    def __init__(self) -> None:
        self.password = secrets.token_hex(8)
        self._folder = Path(tempfile.mkdtemp(prefix="visavis-pg-"))
        # The server refuses to run as root.
        account = pwd.getpwnam(_USER) if os.geteuid() == 0 else None
        if account is not None:
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        self._become = (
            [] if account is None else ["setpriv", f"--reuid={_USER}", f"--regid={account.pw_gid}", "--clear-groups"]
        )
        try:
            self._process = self._start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._runner: asyncio.Runner | None = None
        self._connections: dict[str, Any] = {}
        # One thread that talks to the server: tests have loops of their own.
        self._thread = ThreadPoolExecutor(1, "postgres")

    def _start(self) -> subprocess.Popen[bytes]:
        data, password_file = self._folder / "data", self._folder / "password"
        password_file.write_text(self.password)
        password_file.chmod(0o644)
        subprocess.run(
            [*self._become, str(program("initdb")), "-D", str(data), "-U", "test", "-A", "password", "-E", "UTF8",
             "--locale=C.UTF-8", "--no-sync", f"--pwfile={password_file}"],
            check=True, capture_output=True, cwd="/",
        )  # fmt: skip
        options = [f"--{name}={value}" for name, value in _FAST.items()]
        for _ in range(5):  # the free port may be taken by somebody else in between
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            with open(self._folder / "log", "ab") as log:
                process = subprocess.Popen(
                    # It ends with this process, however this process ends.
                    ["setpriv", "--pdeathsig=QUIT", *self._become[1:], str(program("postgres")), "-D", str(data), "-p",
                     str(self.port), "-h", "127.0.0.1", "-k", "", *options],
                    stdout=log, stderr=log, cwd="/",
                )  # fmt: skip
            if self._answers(process):
                return process
        raise RuntimeError((self._folder / "log").read_text())

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        ready = [str(program("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "1"]
        while process.poll() is None:
            if subprocess.run(ready).returncode == 0:
                return True
        return False

    def url(self, database: str) -> str:
        """The URL of a database, as an operator writes it."""
        return f"postgresql://test:{self.password}@127.0.0.1:{self.port}/{database}"

    def execute(self, sql: str, database: str = "postgres") -> None:
        """A statement, or several separated by semicolons, which are one transaction then."""
        self.run(self._execute(sql, database))

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for ``work`` in the thread that talks to the server."""
        self._thread.submit(self._run, work).result(100)  # a busy machine is slow

    def dump(self, database: str) -> str:
        """All of a database as SQL text."""
        done = subprocess.run(
            [str(program("pg_dump")), "-h", "127.0.0.1", "-p", str(self.port), "-U", "test", database],
            env={**os.environ, "PGPASSWORD": self.password}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._runner = self._runner or asyncio.Runner()
        self._runner.run(work)

    async def _execute(self, sql: str, database: str) -> None:
        import asyncpg

        if database not in self._connections:
            self._connections[database] = await asyncpg.connect(self.url(database))
        await self._connections[database].execute(sql)

    def stop(self) -> None:
        """End it and remove its data."""
        self._thread.submit(self._close).result(10)
        self._thread.shutdown()
        self._process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
        self._process.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _close(self) -> None:
        if self._runner is not None:
            for connection in self._connections.values():
                self._runner.run(connection.close())
            self._runner.close()
