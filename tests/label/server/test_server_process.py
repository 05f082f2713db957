"""`serve` as a process: silent, on the address it was told, and it ends when asked to."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from project_fixture import group, value_of
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from suffrage.label.links import rater_token
from suffrage.label.server.workers import NoDelay
from suffrage.label.store.contents import TaskPlan, add_groups, add_tasks, groups
from suffrage.label.store.database import Store, open_store
from suffrage.label.store.raters import add_rater
from suffrage.label.store.schema import tasks
from suffrage.label.store.settings import secret

PROGRAM = """
import sys
from suffrage.label.server import serve
from suffrage.label.store.database import open_store
serve(open_store(sys.argv[1]), "127.0.0.1", int(sys.argv[2]))
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def answer(port: int, process: subprocess.Popen[bytes]) -> bytes:
    """What /health says, once the server listens."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as reply:
                return bytes(reply.read())
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError("the server ended before it answered")


def test_the_server_answers_is_silent_and_ends_when_asked(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "project.db"), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert answer(port, process) == b'{"ok":true}'
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30)
    assert said == (b"", b"")


WORKERS = """
import sys
from suffrage.label.server import Settings, serve_by
serve_by(2, sys.argv[1], port=int(sys.argv[2]), settings=Settings(title=sys.argv[3], burst=9999))
"""


def ask(connection: HTTPConnection, method: str, path: str, cookie: str, body: str = "") -> str:
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request(method, path, body or None, headers)
    answered = connection.getresponse()
    text = answered.read().decode()
    assert answered.status in (200, 303), text
    return answered.headers.get("set-cookie", "") + text


def judge_all(port: int, token: str) -> int:
    """The rater's own count of votes; each is sent to two processes, or twice to one."""
    with (
        closing(HTTPConnection("127.0.0.1", port, timeout=60)) as one,
        closing(HTTPConnection("127.0.0.1", port, timeout=60)) as two,
    ):
        cookie = ask(one, "GET", f"/join/{token}", "").partition(";")[0]
        for sent in range(1000):
            page = ask((one, two)[sent % 2], "GET", "/work", cookie)
            if 'id="vote"' not in page:
                return sent
            item = page.partition('action="/work/')[2].partition('"')[0]
            form = {name: value_of(page, name) for name in ("token", "client_id")}
            body = urlencode({**form, "choice": "1", "seconds": "3"})
            for connection in (one, two):
                ask(connection, "POST", f"/work/{item}", cookie, body)
    raise AssertionError("there is always more to judge")


def test_no_answer_of_several_processes_waits_for_a_receipt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[object] = []
    monkeypatch.setattr(AutoHTTPProtocol, "connection_made", lambda _, own: made.append(own))
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0) as given:
        transport = SimpleNamespace(get_extra_info={"socket": given}.get)
        NoDelay.connection_made(object.__new__(NoDelay), transport)  # type: ignore[arg-type]
        assert given.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    assert made == [transport]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a process there")
def test_two_processes_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    database, port = tmp_path / "project.db", free_port()
    store = open_store(database)
    add_groups(store, [group(f"p{number}", "one", "two") for number in range(12)])
    add_tasks(store, TaskPlan(kind="pair", overlap=3))
    tokens = [
        rater_token(secret(store), add_rater(store, f"r{i}").id, store.clock()) for i in "abcdef"
    ]
    command = [sys.executable, "-c", WORKERS, str(database), str(port), "A title"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert answer(port, process) == b'{"ok":true}'
        with ThreadPoolExecutor(len(tokens)) as pool:
            sent = sum(pool.map(lambda token: judge_all(port, token), tokens))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
            assert b"A title" in page.read()
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30)
    assert said == (b"", b"")
    assert process.returncode == 0
    check(store, sent)


def check(store: Store, sent: int) -> None:
    kept = [judgment.id for found in groups(store) for judgment in found.judgments]
    assert sent == len(kept) == len(set(kept)) == 36
    with store.reading() as connection:
        assert connection.execute(sa.select(tasks.c.votes, tasks.c.load)).all() == [(3, 3)] * 12
    store.close()
