"""What every judgment asks for, answered in the thread that listens.

A thread takes as long to hand an answer over as the answer takes to make, for one of them computes
at a time. On SQLite a vote is stored in a millisecond, so nobody waits for the thread that stores
it; only for the disk does another one wait. A PostgreSQL elsewhere is waited for, so its answers
come from threads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from suffrage.label.server.site import site_of
from suffrage.label.store.durability import waiting_later


async def run_at_once(handler: Callable[..., Response], request: Request, *more: Any) -> Response:
    """The handler's answer, once what it stored is on the disk."""
    sync = site_of(request).store.sync
    if sync is None:
        return await run_in_threadpool(handler, request, *more)
    try:
        with waiting_later() as owed:
            return handler(request, *more)
    finally:
        if owed.waits:
            await sync.reached()


def at_once(handler: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint of this handler."""

    async def endpoint(request: Request) -> Response:
        return await run_at_once(handler, request)

    return endpoint
