"""Who is asking: a signed cookie, and the token that ties a form to it.

Nothing is kept on the server. The cookie holds whom a link let in, until when, and a random number
that is the session's; a form carries a digest of that number, which another site cannot know.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from itsdangerous import BadData, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import Response

from suffrage.core.records import Json

COOKIE = "suffrage_session"
LANGUAGE_COOKIE = "suffrage_language"
YEAR = 365 * 24 * 3600
_SALT = "suffrage.session"
_LONGEST = 1024
KEPT = 2048  # cookies, and digests, that are not worked out anew at every request


@dataclass(frozen=True)
class Session:
    """`number`: the session's own random number. `rater`, `team`: what it may do, until when."""

    number: str
    rater: str | None = None
    team: bool = False
    until: int = 0
    fresh: bool = False  # the browser does not have it yet

    def token(self, secret: str) -> str:
        """The value that every form of this session carries."""
        return _digest(f"suffrage.form:{self.number}", secret)

    def tag(self, secret: str) -> str:
        """Tells raters on one browser apart without saying who they are."""
        return _digest(f"suffrage.tag:{self.rater}", secret)[:16]


@lru_cache(maxsize=KEPT)
def _digest(text: str, secret: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def new_session() -> Session:
    return Session(secrets.token_hex(16), fresh=True)


def read_session(request: Request, secret: str, now: datetime) -> Session:
    """The session of the cookie, or a new one that may do nothing."""
    cookie = request.cookies.get(COOKIE, "")
    if not cookie or len(cookie) > _LONGEST:
        return new_session()
    found = _signed(cookie, secret)
    if found is None:
        return new_session()
    if (found.rater or found.team) and found.until <= now.timestamp():
        return replace(found, rater=None, team=False)
    return found


@lru_cache(maxsize=KEPT)
def _signed(cookie: str, secret: str) -> Session | None:
    """What the cookie says, or None where the secret did not sign it."""
    try:
        return _session(URLSafeSerializer(secret, salt=_SALT).loads(cookie))
    except (BadData, KeyError, TypeError, ValueError):
        return None


def _session(body: Json) -> Session:
    rater = body.get("r")
    return Session(
        str(body["n"]), None if rater is None else str(rater), body.get("t") is True, int(body["u"])
    )


def admitted(session: Session, rater: str | None, until: datetime, now: datetime) -> Session:
    """A session with a new number, so that one planted before the link was opened is worth nothing.

    Who is both a rater and of the team stays both.
    """
    ends = int(until.timestamp())
    if (session.rater or session.team) and session.until > now.timestamp():
        ends = min(ends, session.until)
    if rater is None:
        return Session(new_session().number, session.rater, True, ends, fresh=True)
    return Session(new_session().number, rater, session.team, ends, fresh=True)


def keep_session(response: Response, session: Session, secret: str, *, secure: bool) -> None:
    """Give the browser its cookie."""
    body = {"n": session.number, "r": session.rater, "t": session.team, "u": session.until}
    value = str(URLSafeSerializer(secret, salt=_SALT).dumps(body))
    age = max(0, session.until - int(datetime.now(UTC).timestamp())) or None
    response.set_cookie(
        COOKIE, value, max_age=age, httponly=True, samesite="lax", secure=secure, path="/"
    )
