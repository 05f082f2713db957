"""Several processes that serve one project, where one processor is not enough.

Each opens the database for itself; what it promises of votes and leases holds between processes as
between threads. How often an address may ask is counted by each process alone.
"""

from __future__ import annotations

import json
import os
import socket
from asyncio import Transport
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from suffrage.label.server.app import create_app, options
from suffrage.label.server.settings import Settings
from suffrage.label.store.database import open_store

_TOLD = "SUFFRAGE_LABEL_SERVER"  # what a worker is started with


class NoDelay(AutoHTTPProtocol):  # type: ignore[misc,valid-type]
    """Answers leave at once.

    asyncio sees to that for sockets it made itself. These the workers were given, and the body of
    an answer would wait 40 ms for the receipt of its head (Nagle's algorithm, RFC 896).
    """

    def connection_made(self, transport: Transport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)


def serve_by(
    workers: int,
    database: str,
    host: str = "127.0.0.1",
    port: int = 8000,
    settings: Settings | None = None,
) -> None:
    """As `serve`, by so many processes; one that dies is replaced."""
    settings = settings or Settings()
    with TemporaryDirectory(prefix="suffrage-") as folder:
        turns = str(Path(folder) / "turns")
        told = {"database": database, "settings": asdict(settings), "turns": turns}
        os.environ[_TOLD] = json.dumps(told)
        uvicorn.run(
            "suffrage.label.server.workers:worker",
            factory=True,
            http=NoDelay,
            workers=workers,
            host=host,
            port=port,
            **options(settings),
        )


def worker() -> Starlette:
    """What each process serves."""
    told = json.loads(os.environ[_TOLD])
    store = open_store(told["database"], turns=Path(told["turns"]))
    return create_app(store, Settings(**told["settings"]))
