"""`serve` as a process: silent, on the address it was told, and it ends when asked to."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

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
