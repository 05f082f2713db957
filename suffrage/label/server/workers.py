"""Several processes that serve one project, where one processor is not enough.

Each opens the database for itself; what it promises of votes and leases holds between processes as
between threads. How often an address may ask is counted by each process alone.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import uvicorn
from starlette.applications import Starlette

from suffrage.label.server.app import create_app, options
from suffrage.label.server.settings import Settings
from suffrage.label.store.database import open_store

_TOLD = "SUFFRAGE_LABEL_SERVER"  # what a worker is started with


def serve_by(
    workers: int,
    database: str,
    host: str = "127.0.0.1",
    port: int = 8000,
    settings: Settings | None = None,
) -> None:
    """As `serve`, by so many processes; one that dies is replaced."""
    settings = settings or Settings()
    told = {"database": database, "settings": asdict(settings)}
    os.environ[_TOLD] = json.dumps(told)
    uvicorn.run(
        "suffrage.label.server.workers:worker",
        factory=True,
        workers=workers,
        host=host,
        port=port,
        **options(settings),
    )


def worker() -> Starlette:
    """What each process serves."""
    told = json.loads(os.environ[_TOLD])
    return create_app(open_store(told["database"]), Settings(**told["settings"]))
