"""What can be set about the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """`secret` signs links and sessions; empty takes the project's own from its database."""

    secret: str = ""
    title: str = "Suffrage"
    consent: str = ""  # Markdown that a rater must agree to first; empty asks nothing
    requests_per_second: float = 50.0  # of one address, in the long run
    burst: int = 300  # requests of one address at once
    largest_body: int = 256 * 1024  # bytes of a form
    session_days: float = 30.0  # and never longer than the link it came from
    behind_proxy: bool = False  # trust X-Forwarded-* of a proxy on this machine
    secure_cookie: bool = False  # only over https; set it where a proxy speaks https
    team_votes: int = 20_000  # of more, the team's figures are worked out from a sample
    team_refresh: float = 10.0  # seconds for which the team's figures are not computed again
