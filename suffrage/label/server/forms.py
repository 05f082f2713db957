"""Reading a posted form: its size, its shape, its token, and the vote in it."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from suffrage.label.server.assigned import Assigned
from suffrage.label.server.kinds import KINDS, LONGEST_ANSWER, Form, FormError, checked_text
from suffrage.label.server.security import RefusedError, same
from suffrage.label.server.site import site_of, token_of
from suffrage.label.store.judgments import Vote

FIELDS = 64  # of one form; a ranking of the most answers has fewer
LONGEST_REASON = 4000
LONGEST_TIME = 24 * 3600.0
_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")
_FORM = "application/x-www-form-urlencoded"

Handler = Callable[[Request, Form], Response]
Run = Callable[..., Awaitable[Response]]


def posted(
    handler: Handler, run: Run = run_in_threadpool
) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that gets the form once its size, shape and token are found good."""

    async def endpoint(request: Request) -> Response:
        form = await read_form(request, site_of(request).settings.largest_body)
        check_token(request, form)
        return await run(handler, request, form)

    return endpoint


async def read_form(request: Request, largest: int) -> dict[str, str]:
    """The fields of a URL-encoded form; of fields given twice, the last.

    `RefusedError`: 413 too large, 415 no form, 400 malformed.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != _FORM:
        raise RefusedError(415, f"content type {kind[:80]!r}")
    body = await _read_body(request, largest)
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS
        )
    except ValueError as error:  # also what is no UTF-8
        raise RefusedError(400, f"malformed form: {str(error)[:80]}") from error
    return dict(pairs)


async def _read_body(request: Request, largest: int) -> bytes:
    told = request.headers.get("content-length", "0")
    if told.isdecimal() and int(told[:20]) > largest:
        raise RefusedError(413, f"a body of {told[:20]} bytes")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > largest:
            raise RefusedError(413, f"a body of over {largest} bytes")
    return bytes(body)


def check_token(request: Request, form: Form) -> None:
    """403 for a form that was not made in this session, or that another site sent."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise RefusedError(403, "a form from another site")
    if not same(form.get("token", ""), token_of(request)):
        raise RefusedError(403, "a form without this session's token", "error.csrf")


def vote_of(form: Form, assigned: Assigned, now: float) -> Vote:
    """The vote in a form about this assignment. `FormError` says what is missing."""
    client_id = form.get("client_id", "")
    if not _CLIENT_ID.match(client_id):
        raise RefusedError(400, "a vote without the id of its page")
    parsed = KINDS[assigned.kind].parse(form, assigned.shown)
    reason = checked_text(form.get("reason", "").replace("\r\n", "\n"), "reason", LONGEST_REASON)
    return Vote(
        assignment=assigned.assignment,
        client_id=client_id,
        value=parsed.value,
        strength=parsed.strength,
        reason=reason.strip(),
        seconds=seconds_of(form, now),
    )


def seconds_of(form: Form, now: float) -> float:
    """The active time that the page measured; without JavaScript, the time since it was opened."""
    measured = _number(form.get("seconds", ""))
    if measured is None:
        opened = _number(form.get("opened", ""))
        measured = 0.0 if opened is None else now - opened
    return round(min(max(measured, 0.0), LONGEST_TIME), 1)


def _number(text: str) -> float | None:
    try:
        value = float(text[:32])
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def skip_reason(form: Form, reasons: tuple[str, ...]) -> str:
    """`code` or `code: words`."""
    code = form.get("why", "")
    if code not in reasons:
        raise FormError("work.skip_missing", "why")
    words = checked_text(form.get("more", ""), "more", LONGEST_REASON).strip()
    return f"{code}: {words}" if words else code


def draft_of(form: Form) -> dict[str, str]:
    """What a page shall show again: the fields of the vote, and nothing else of the form."""
    kept = ("choice", "strength", "reason", "answer", "seconds")
    return {
        name: checked_text(value, name, LONGEST_ANSWER)
        for name, value in form.items()
        if name in kept or re.fullmatch(r"place-\d{1,2}", name)
    }
