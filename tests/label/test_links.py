"""Invitation links: whom they let in, until when, and that nobody else makes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from itsdangerous import URLSafeSerializer

from suffrage.label.links import (
    SALT,
    ExpiredLinkError,
    LinkError,
    link,
    rater_token,
    read_token,
    team_token,
)

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


def test_a_token_says_whom_it_invites_and_until_when() -> None:
    invited = read_token("secret", rater_token("secret", "r-17", NOW, days=3), NOW)
    assert (invited.rater, invited.team) == ("r-17", False)
    assert invited.until == NOW + timedelta(days=3)


def test_the_teams_token_names_no_rater() -> None:
    invited = read_token("secret", team_token("secret", NOW, days=2), NOW)
    assert (invited.rater, invited.team) == (None, True)


def test_a_rater_called_team_is_not_the_team() -> None:
    assert not read_token("secret", rater_token("secret", "team", NOW), NOW).team


def test_a_token_is_good_until_its_last_second() -> None:
    token = rater_token("secret", "r-17", NOW, days=1)
    last = NOW + timedelta(days=1)
    assert read_token("secret", token, last - timedelta(seconds=1)).rater == "r-17"
    with pytest.raises(ExpiredLinkError, match="2026-05-05"):
        read_token("secret", token, last)


def test_a_token_of_another_project_is_refused() -> None:
    with pytest.raises(LinkError, match="not one of this project's"):
        read_token("secret", rater_token("other", "r-17", NOW), NOW)


def test_a_token_changed_anywhere_is_refused() -> None:
    token = rater_token("secret", "r-17", NOW)
    for place in range(len(token) - 1):  # the last character holds unused bits
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(LinkError):
            read_token("secret", changed, NOW)


@pytest.mark.parametrize("token", ["", ".", "a.b", "é", "x" * 600, "eyJ9.A"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(LinkError):
        read_token("secret", token, NOW)


@pytest.mark.parametrize("body", [[], "r", {"r": "x"}, {"r": "x", "u": "soon"}, {"u": 10**18}])
def test_a_signed_body_of_another_shape_is_refused(body: object) -> None:
    token = str(URLSafeSerializer("secret", salt=SALT).dumps(body))
    with pytest.raises(LinkError):
        read_token("secret", token, NOW)


def test_a_token_of_a_session_is_no_link() -> None:
    token = str(URLSafeSerializer("secret", salt="suffrage.session").dumps({"r": "x", "u": 10**10}))
    with pytest.raises(LinkError):
        read_token("secret", token, NOW)


def test_a_link_is_the_address_and_the_token() -> None:
    assert link("http://127.0.0.1:8000/", "abc") == "http://127.0.0.1:8000/join/abc"
