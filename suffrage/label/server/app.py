"""The application: its routes, and what becomes of an error.

create_app(store, Settings()) is tested in process; serve() runs it under uvicorn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from suffrage.core.words import LANGUAGES
from suffrage.label.server import pages, team, votes
from suffrage.label.server.at_once import at_once, run_at_once
from suffrage.label.server.forms import posted
from suffrage.label.server.security import Guard, Limiter, RefusedError, add_headers
from suffrage.label.server.settings import Settings
from suffrage.label.server.site import (
    Site,
    actor_of,
    address,
    go,
    render,
    site_of,
    static_address,
    wants_json,
    words_of,
)
from suffrage.label.server.templating import make_environment
from suffrage.label.server.words import load_words
from suffrage.label.store.database import Store
from suffrage.label.store.errors import LabelError
from suffrage.label.store.settings import secret

Endpoint = Callable[[Request], Awaitable[Response] | Response]
_LOGGED_PATH = 200  # characters

AT_ONCE = ("/work", "/work/{assignment}")  # asked for at every judgment
POSTED = {  # a form with the session's token
    "/work/{assignment}": votes.vote,
    "/consent": pages.give_consent,
    "/language": pages.choose_language,
    "/leave": pages.leave,
    "/undo": votes.undo_last,
    "/withdraw": pages.withdraw_votes,
    "/work/{assignment}/draft": votes.keep_draft,
    "/work/{assignment}/skip": votes.skip_item,
    "/team/guidelines": team.publish,
}
SHOWN = {
    "/work": votes.work_page,
    "/": pages.home,
    "/account": pages.account,
    "/consent": pages.consent_page,
    "/guidelines": pages.guidelines_page,
    "/health": pages.health,
    "/help": pages.help_page,
    "/join/{token}": pages.join,
    "/language": pages.language_page,
    "/team": team.overview,
    "/team/disputes": team.disputes_page,
    "/team/export/{format}": team.export,
    "/team/guidelines": team.guidelines_editor,
    "/team/raters": team.raters_page,
    "/team/skipped": team.skipped_page,
    "/work/{assignment}/feedback": votes.feedback,
}


def create_app(store: Store, settings: Settings | None = None) -> Starlette:
    """The page of one project. No state but the store's, and how often each address has asked."""
    settings = settings or Settings()
    site = Site(
        store=store,
        settings=settings,
        secret=settings.secret or secret(store),
        environments={lang: make_environment(load_words(lang)) for lang in LANGUAGES},
        static=static_address(),
    )
    floods = Limiter(1 / 60, 1)  # a flood is logged once a minute

    def flooded(name: str) -> None:
        if floods.allows(name):
            site.refused(name, "visitor", 429, "too many requests")

    limiter = Limiter(settings.requests_per_second, settings.burst)
    app = Starlette(
        routes=_routes(site.static),
        middleware=[Middleware(Guard, limiter=limiter, flooded=flooded)],
        exception_handlers={
            RefusedError: _refused,
            LabelError: _not_done,
            HTTPException: _no_page,
            Exception: _broken,
        },
    )
    app.router.redirect_slashes = False  # it would trust, and break on, whatever Host says
    app.state.site = site
    return app


def _routes(static: str) -> list[BaseRoute]:
    folder = Path(str(files("suffrage.label.server") / "static"))
    return [
        *(Route(path, _shown(path), methods=["GET"]) for path in SHOWN),
        *(Route(path, _posted(path), methods=["POST"]) for path in POSTED),
        Mount(static, StaticFiles(directory=folder)),
    ]


def _shown(path: str) -> Endpoint:
    return at_once(SHOWN[path]) if path in AT_ONCE else SHOWN[path]


def _posted(path: str) -> Endpoint:
    return posted(POSTED[path], run_at_once if path in AT_ONCE else run_in_threadpool)


def _problem(request: Request, status: int, key: str, values: dict[str, object]) -> Response:
    if wants_json(request):
        body = {"message": words_of(request)(key, **values)}
        return JSONResponse(body, status)
    return render(request, "error.html", status, key=key, values=values)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    if error.status == 401 and request.scope["path"] == "/work":  # nobody's attack: a link ran out
        return go("/?note=ended")
    path = (
        request.scope["path"][:_LOGGED_PATH]
        if not request.scope["path"].startswith("/join/")
        else "/join/"
    )
    why = f"{request.method} {path}: {error.why}"
    site_of(request).refused(address(request), actor_of(request), error.status, why)
    return _problem(request, error.status, error.key, error.values)


def _not_done(request: Request, error: Exception) -> Response:
    """The store has logged what it refused; whoever was late elsewhere goes on with the next."""
    assert isinstance(error, LabelError)
    if error.status in (409, 410) and not wants_json(request):
        return go("/work?note=gone")
    return _problem(request, error.status, f"error.{error.status}", {})


def _no_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = error.status_code if error.status_code in (404, 405) else 400
    response = _problem(request, error.status_code, f"error.{known}", {})
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


def _broken(request: Request, error: Exception) -> Response:
    """Outside of all middleware; the traceback goes to the server's own log."""
    response = _problem(request, 500, "error.500", {})
    add_headers(response.headers, request.scope["path"])
    return response


def serve(
    store: Store, host: str = "127.0.0.1", port: int = 8000, settings: Settings | None = None
) -> None:
    """Serve until interrupted; requests under way are answered first. Prints nothing itself."""
    settings = settings or Settings()
    config = uvicorn.Config(create_app(store, settings), host=host, port=port, **options(settings))
    uvicorn.Server(config).run()


def options(settings: Settings) -> dict[str, Any]:
    """How uvicorn is run."""
    return {
        "log_level": "warning",
        "access_log": False,  # it would hold the links that sign people in
        "proxy_headers": settings.behind_proxy,
        "server_header": False,
        "timeout_graceful_shutdown": 10,
        "timeout_keep_alive": 30,
    }
