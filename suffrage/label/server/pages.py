"""The pages that only show something, and joining, consenting and leaving."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from suffrage.core.words import LANGUAGES
from suffrage.label import links
from suffrage.label.server.kinds import Form
from suffrage.label.server.security import RefusedError
from suffrage.label.server.session import (
    COOKIE,
    LANGUAGE_COOKIE,
    YEAR,
    Session,
    admitted,
    new_session,
)
from suffrage.label.server.site import (
    give_cookie,
    go,
    rater_of,
    render,
    session_of,
    site_of,
)
from suffrage.label.store.events import log
from suffrage.label.store.guidelines import guidelines
from suffrage.label.store.raters import Rater, consent, find_rater, withdraw


def home(request: Request) -> Response:
    """What this is; whoever is signed in goes on to their work."""
    session = session_of(request)
    rater = find_rater(site_of(request).store, session.rater) if session.rater else None
    if rater is not None and rater.withdrawn is None:
        return go("/work")
    ended = request.query_params.get("note") == "ended"
    return go("/team") if session.team else render(request, "home.html", ended=ended)


def join(request: Request) -> Response:
    """Open a signed link. 404 forged, 410 expired or withdrawn, 409 signed in as somebody else."""
    site = site_of(request)
    try:
        invited = links.read_token(site.secret, request.path_params["token"], site.now())
    except links.ExpiredLinkError as error:
        raise RefusedError(410, "an expired link") from error
    except links.LinkError as error:
        raise RefusedError(404, "a forged link") from error
    if invited.rater is not None:
        _check_invited(request, invited.rater)
    longest = site.now() + timedelta(days=site.settings.session_days)
    session = admitted(session_of(request), invited.rater, min(invited.until, longest), site.now())
    response = go("/team" if invited.team else "/consent")
    give_cookie(request, response, session)
    with site.store.transaction() as connection:
        log(connection, invited.rater or "team", "joined", {})
    return response


def _check_invited(request: Request, invited: str) -> None:
    store, session = site_of(request).store, session_of(request)
    rater = find_rater(store, invited)
    if rater is None:
        raise RefusedError(404, "a link for a rater who is not here")
    if rater.withdrawn is not None:
        raise RefusedError(410, "a link of a rater who has withdrawn", "error.withdrawn")
    if session.rater and session.rater != invited:
        own = find_rater(store, session.rater)
        name = own.name if own else session.rater
        raise RefusedError(409, "a link for another rater", "error.other", name=name)


def needs_consent(request: Request, rater: Rater) -> bool:
    return rater.consented is None and bool(site_of(request).settings.consent)


def consent_page(request: Request) -> Response:
    rater = rater_of(request)
    if not needs_consent(request, rater):
        return go("/work")
    return render(request, "consent.html", rater=rater, problem="")


def give_consent(request: Request, form: Form) -> Response:
    rater = rater_of(request)
    if form.get("agree") != "1":
        return render(request, "consent.html", 422, rater=rater, problem="consent.missing")
    consent(site_of(request).store, rater.id)
    return go("/work")


def guidelines_page(request: Request) -> Response:
    session = session_of(request)
    if not session.team:
        rater_of(request)
    return render(request, "guidelines.html", guideline=guidelines(site_of(request).store))


def help_page(request: Request) -> Response:
    return render(request, "help.html")


def account(request: Request) -> Response:
    return render(request, "account.html", rater=rater_of(request), problem="")


def withdraw_votes(request: Request, form: Form) -> Response:
    """All of this rater's votes leave every later read; the session ends."""
    rater = rater_of(request)
    if form.get("agree") != "1":
        return render(request, "account.html", 422, rater=rater, problem="withdraw.missing")
    withdraw(site_of(request).store, rater.id)
    request.state.session = _without_rater(request)
    return render(request, "withdrawn.html")


def leave(request: Request, form: Form) -> Response:
    """Sign out of this browser."""
    response = go("/")
    response.delete_cookie(COOKIE, path="/")
    return response


def _without_rater(request: Request) -> Session:
    session = session_of(request)
    if session.team:
        return replace(session, number=new_session().number, rater=None, fresh=True)
    return new_session()


def language_page(request: Request) -> Response:
    return render(request, "language.html", languages=LANGUAGES)


def choose_language(request: Request, form: Form) -> Response:
    chosen = form.get("to", "")
    if chosen not in LANGUAGES:
        raise RefusedError(422, "a language that is not there")
    response = go(_own_path(form.get("back", "/")))
    response.set_cookie(
        LANGUAGE_COOKIE, chosen, max_age=YEAR, samesite="lax", httponly=True, path="/"
    )
    return response


_TEAM = ("/team", "/team/raters", "/team/disputes", "/team/skipped", "/team/guidelines")
_BACK = ("/work", "/guidelines", "/help", "/account", "/consent", "/", *_TEAM)


def _own_path(path: str) -> str:
    """Only pages of this site that GET shows: a form must not send anybody elsewhere."""
    return path if path in _BACK else "/"


def health(request: Request) -> Response:
    """For a load balancer: 200 when the database answers."""
    guidelines(site_of(request).store)
    return JSONResponse({"ok": True})
