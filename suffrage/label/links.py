"""Signed, expiring links: who holds one may vote, and nobody can make one without the secret.

A token says for whom it is and until when, signed with the project's secret (itsdangerous, HMAC).
Nothing is kept on the server; a rater who withdrew is refused whatever they hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from itsdangerous import BadData, URLSafeSerializer

from suffrage.core.records import Json

DAYS = 30  # how long a link is good for unless told otherwise
SALT = "suffrage.invitation"
TEAM = "team"
_LONGEST = 512  # characters of a token; ours have about 100


@dataclass(frozen=True)
class Invitation:
    """What a link says: the rater's id, or None for a link of the team."""

    rater: str | None
    until: datetime

    @property
    def team(self) -> bool:
        return self.rater is None


class LinkError(ValueError):
    """A link that was not made with this project's secret."""


class ExpiredLinkError(LinkError):
    """A link that was good once."""


def rater_token(secret: str, rater: str, now: datetime, days: float = DAYS) -> str:
    """The end of one rater's link, good for `days` from `now`."""
    return _sign(secret, {"r": rater, "u": _seconds(now, days)})


def team_token(secret: str, now: datetime, days: float = DAYS) -> str:
    """The end of the team's link."""
    return _sign(secret, {"t": TEAM, "u": _seconds(now, days)})


def link(address: str, token: str) -> str:
    """The whole link, `http://127.0.0.1:8000/join/TOKEN`."""
    return f"{address.rstrip('/')}/join/{token}"


def read_token(secret: str, token: str, now: datetime) -> Invitation:
    """Whom the token invites. `ExpiredLinkError` when too old, `LinkError` when forged."""
    body = _unsign(secret, token)
    try:
        until = datetime.fromtimestamp(int(body["u"]), UTC)
        rater = None if body.get("t") == TEAM else str(body["r"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
        raise LinkError("the link says nothing of use; make a new one.") from error
    if now >= until:
        raise ExpiredLinkError(f"the link was good until {until:%Y-%m-%d}; make a new one.")
    return Invitation(rater, until)


def _seconds(now: datetime, days: float) -> int:
    return int((now + timedelta(days=days)).timestamp())


def _sign(secret: str, body: Json) -> str:
    return str(URLSafeSerializer(secret, salt=SALT).dumps(body))


def _unsign(secret: str, token: str) -> Json:
    if len(token) > _LONGEST:
        raise LinkError("the link is too long to be one of this project's.")
    try:
        return URLSafeSerializer(secret, salt=SALT).loads(token)
    except BadData as error:  # also of a payload that cannot be read
        raise LinkError("the link is not one of this project's; copy it whole.") from error
