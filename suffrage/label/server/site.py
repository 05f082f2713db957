"""What every page shares: the store, the templates, who is asking, and how an answer is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from importlib.resources import files
from typing import cast

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from suffrage.label.server.security import Limiter, RefusedError, address_of
from suffrage.label.server.session import (
    LANGUAGE_COOKIE,
    Session,
    keep_session,
    read_session,
)
from suffrage.label.server.settings import Settings
from suffrage.label.server.templating import OneLanguage, blank, fill
from suffrage.label.server.words import Words, load_words, wanted_language
from suffrage.label.store.database import Store
from suffrage.label.store.events import log
from suffrage.label.store.raters import Rater, find_rater

LOGGED = 30  # refusals of one address that are logged at once, and then one each two seconds


@dataclass(frozen=True)
class Site:
    """One project's page. `secret` signs its cookies and forms."""

    store: Store
    settings: Settings
    secret: str
    environments: Mapping[str, OneLanguage]  # by language
    static: str  # the address of the static files, which changes with their content
    log_limit: Limiter = field(default_factory=lambda: Limiter(0.5, LOGGED))

    def now(self) -> datetime:
        return self.store.clock()

    def refused(self, address: str, actor: str, status: int, why: str) -> None:
        """Add a refusal to the log, unless this address has filled its share of it."""
        if self.log_limit.allows(address):
            with self.store.transaction() as connection:
                body = {"status": status, "why": why, "address": address}
                log(connection, actor, "refused", body)


def static_address() -> str:
    folder = files("suffrage.label.server") / "static"
    content = sorted((entry.name, entry.read_bytes()) for entry in folder.iterdir())
    return f"/static/{sha256(repr(content).encode()).hexdigest()[:12]}"


def site_of(request: Request) -> Site:
    return cast(Site, request.app.state.site)


def session_of(request: Request) -> Session:
    """The session that asks, read once for a request."""
    if not hasattr(request.state, "session"):
        site = site_of(request)
        request.state.session = read_session(request, site.secret, site.now())
    return cast(Session, request.state.session)


def token_of(request: Request) -> str:
    return session_of(request).token(site_of(request).secret)


def rater_of(request: Request) -> Rater:
    """Whose session it is. `RefusedError` 401 for nobody's, 410 for one who withdrew."""
    session = session_of(request)
    rater = find_rater(site_of(request).store, session.rater) if session.rater else None
    if rater is None:
        raise RefusedError(401, "no rater's session")
    if rater.withdrawn is not None:
        raise RefusedError(410, "the rater has withdrawn", "error.withdrawn")
    return rater


def actor_of(request: Request) -> str:
    """Who the log says it was."""
    session = session_of(request)
    return session.rater or ("team" if session.team else "visitor")


def words_of(request: Request) -> Words:
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    return load_words(wanted_language(chosen, request.headers.get("accept-language", "")))


def address(request: Request) -> str:
    return address_of(request.scope)


def render(request: Request, template: str, status: int = 200, **values: object) -> Response:
    """A page in the language of who asks; gives a new session its cookie."""
    layout = templates_of(request).get_template(template)
    own = _own(request)
    return _answer(request, layout.render(own, **values, **_shared(request)), status)


def render_kept(
    request: Request,
    template: str,
    own: Mapping[str, object],
    status: int = 200,
    *,
    keep: bool = True,
    **values: object,
) -> Response:
    """As `render`, of a page that is laid out once for all whose `values`, hashable, are the same.

    `own`: the texts of this request alone. Not `keep`: hardly anybody else has these values.
    """
    own, templates = {**own, **_own(request)}, templates_of(request)
    lay_out = templates.kept if keep else templates.lay_out
    blanks = {name: blank(name) for name in own}
    layout = lay_out(template, tuple({**blanks, **values, **_shared(request)}.items()))
    return _answer(request, fill(layout, own), status)


def templates_of(request: Request) -> OneLanguage:
    return site_of(request).environments[words_of(request).lang]


def _own(request: Request) -> dict[str, object]:
    return {"token": token_of(request), "here": request.scope["path"]}


def _shared(request: Request) -> dict[str, object]:
    """What pages say in common of the site and of who asks."""
    site, session = site_of(request), session_of(request)
    return {
        "site": site.settings,
        "static": site.static,
        "signed_in": session.rater is not None,
        "of_team": session.team,
    }


def _answer(request: Request, page: str, status: int) -> Response:
    session = session_of(request)
    response = HTMLResponse(page, status)
    response.headers["Vary"] = "Cookie, Accept-Language"
    if session.fresh:
        give_cookie(request, response, session)
    return response


def give_cookie(request: Request, response: Response, session: Session) -> None:
    site = site_of(request)
    secure = site.settings.secure_cookie or request.scope["scheme"] == "https"
    keep_session(response, replace(session, fresh=False), site.secret, secure=secure)


def go(path: str) -> Response:
    """To another page, by GET."""
    return RedirectResponse(path, 303)


def wants_json(request: Request) -> bool:
    """Whether the page's script asks, which shows what it is told by itself."""
    return "application/json" in request.headers.get("accept", "")
