"""Stores to test with: a file of SQLite, and a real PostgreSQL server where one is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from suffrage.label.store.database import Store, open_store
from tests.label.store.project import Clock

_names = count()


def _program(name: str) -> str | None:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(installed[-1]) if installed else shutil.which(name)


def _other_user() -> list[str]:
    """What goes before a command so that the server does not run as root, which it refuses."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    return ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a server that lives as long as the tests, in a folder of its own."""
    programs = [_program(name) for name in ("initdb", "postgres", "pg_isready")]
    if None in programs:
        pytest.skip("no PostgreSQL server is installed (Debian: apt install postgresql)")
    initdb, postgres, ready = (str(program) for program in programs)
    folder = Path(tempfile.mkdtemp(prefix="suffrage-pg-", dir="/tmp"))  # sockets need short paths
    user = _other_user()
    if user:
        shutil.chown(folder, user[1].removeprefix("--reuid="))
    data = str(folder / "data")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "cwd": folder}
    setup = [*user, initdb, "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C"]
    subprocess.run([*setup, "--no-sync"], check=True, **quiet)
    start = [*user, postgres, "-D", data, "-k", str(folder), "-c", "listen_addresses=", "-F"]
    with subprocess.Popen(start, **{**quiet, "stderr": subprocess.DEVNULL}) as server:
        try:
            wait = [ready, "-h", str(folder), "-t", "1"]
            assert any(
                subprocess.run(wait, **quiet).returncode == 0 or server.poll() is not None
                for _ in _patiently(100)
            )
            yield f"postgresql://tester@/{{name}}?host={folder}"
        finally:
            server.terminate()
            server.wait()
            shutil.rmtree(folder, ignore_errors=True)


def _patiently(times: int) -> Iterator[int]:
    for attempt in range(times):
        yield attempt
        time.sleep(0.1)


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new project may be made, once on each database."""
    if request.param == "sqlite":
        return str(tmp_path / "project.db")
    template = request.getfixturevalue("postgres_server")
    name = f"project{next(_names)}"
    admin = template.format(name="postgres").replace("postgresql:", "postgresql+psycopg:")
    engine = sa.create_engine(admin, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return str(template.format(name=name))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(address: str, clock: Clock) -> Iterator[Store]:
    """An empty project on each database, whose time only the test moves."""
    opened = open_store(address, clock=clock)
    yield opened
    opened.close()
