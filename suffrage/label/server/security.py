"""What stands before every page: headers, a limit on the requests of one address, refusals."""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
FOREVER = "public, max-age=31536000, immutable"  # a static file's address changes with its content
_RAW = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
ADDRESSES = 10_000  # remembered at once; the least recently seen is forgotten first


class RefusedError(Exception):
    """A request that is not carried out.

    `status`: of the answer. `key`: of the catalogue, what the person reads. `why`: for the log.
    """

    def __init__(self, status: int, why: str, key: str = "", **values: object) -> None:
        super().__init__(why)
        self.status, self.why, self.values = status, why, values
        self.key = key or f"error.{status}"


class Limiter:
    """A bucket of `burst` requests for each name, refilled at `rate` a second."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic):
        self.rate, self.burst, self.clock = rate, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, name: str) -> bool:
        """Whether one more is allowed now, and counts it."""
        now = self.clock()
        left, seen = self._left.pop(name, (float(self.burst), now))
        left = min(float(self.burst), left + (now - seen) * self.rate)
        allowed = left >= 1
        self._left[name] = (left - 1 if allowed else left, now)
        if len(self._left) > ADDRESSES:
            self._left.popitem(last=False)
        return allowed


def same(given: str, expected: str) -> bool:
    """Compared in a time that says nothing of where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())


class Guard:
    """ASGI middleware: the headers on every answer, and 429 for a flood from one address."""

    def __init__(self, app: ASGIApp, limiter: Limiter, flooded: Callable[[str], None]) -> None:
        """`flooded` is told of an address that was refused."""
        self.app, self.limiter, self.flooded = app, limiter, flooded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        address = address_of(scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_headers(MutableHeaders(scope=message), scope["path"])
            await send(message)

        if self.limiter.allows(address):
            await self.app(scope, receive, with_headers)
            return
        self.flooded(address)
        refusal = PlainTextResponse(
            "Too many requests. Wait a little and try again.\n請求太多，請稍候再試。\n",
            429,
            {"Retry-After": "5"},
        )
        await refusal(scope, receive, with_headers)


def add_headers(headers: MutableHeaders, path: str) -> None:
    """The headers of an answer to `path`; only static files may be kept by a browser."""
    kept = "cache-control" in headers
    headers.raw.extend(_RAW)  # no page sets one of these itself
    if not kept:
        headers["Cache-Control"] = FOREVER if path.startswith("/static/") else "no-store"


def address_of(scope: Scope) -> str:
    """The client's address; "" where there is none, as over a Unix socket."""
    client = scope.get("client")
    return str(client[0]) if client else ""
