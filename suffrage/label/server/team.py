"""The team's view: progress, agreement, raters, disputes, guidelines, export."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from suffrage.core.errors import DataError, SettingsError
from suffrage.label.formats import FORMATS
from suffrage.label.formats import export as write_export
from suffrage.label.formats.containers import CONTAINERS
from suffrage.label.server import growth, texts
from suffrage.label.server.kinds import Form
from suffrage.label.server.security import RefusedError
from suffrage.label.server.site import Site, render, session_of, site_of, words_of
from suffrage.label.server.team_data import (
    Dispute,
    Figures,
    Seen,
    disputes,
    figures_of,
    one_in,
    seen_raters,
)
from suffrage.label.server.writing import because, ends, said, why_skipped
from suffrage.label.store.contents import groups
from suffrage.label.store.guidelines import guideline_versions, guidelines, write_guidelines
from suffrage.label.store.progress import progress
from suffrage.label.store.raters import Rater, raters
from suffrage.label.store.schema import events, judgments
from suffrage.label.store.skips import count_skips, skipped_items
from suffrage.stats.power import prompts_for_width

LONGEST_GUIDELINES = 60_000  # characters
MOST_SKIPPED = 50  # items of the page
WIDTHS = (1.0, 50.0)  # points of a planned interval


@dataclass
class _Kept:
    """What was worked out last, from which state of the log, and when."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    state: int = -1
    at: float = -math.inf
    figures: Figures | None = None
    disputes: list[Dispute] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    every: int = 1  # the figures are of one prompt in so many


_KEPT: WeakKeyDictionary[sa.Engine, _Kept] = WeakKeyDictionary()


def for_team(page: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """403 for a session without the team's link, 401 for none at all."""

    def guarded(request: Request) -> Response:
        check_team(request)
        return page(request)

    return guarded


def check_team(request: Request) -> None:
    session = session_of(request)
    if not session.team:
        raise RefusedError(403 if session.rater else 401, "a page of the team")


def _figures(site: Site) -> _Kept:
    """Worked out again once something happened, but not more often than the settings say."""
    kept = _KEPT.setdefault(site.store.engine, _Kept())
    with kept.lock:
        if time.monotonic() - kept.at < site.settings.team_refresh and kept.figures:
            return kept
        state = _state(site)
        if state != kept.state or kept.figures is None:
            kept.every = every = one_in(site.store, site.settings.team_votes)
            found = list(groups(site.store, every=every))
            kept.figures, kept.disputes = figures_of(found), disputes(found)
            kept.seen = seen_raters(site.store, every)
        kept.state, kept.at = state, time.monotonic()
        return kept


def _state(site: Site) -> int:
    """Changes whenever a vote, a correction or a withdrawal does."""
    with site.store.reading() as connection:
        last = connection.scalar(sa.select(sa.func.max(judgments.c.number))) or 0
        gone = sa.select(sa.func.count()).where(events.c.kind == "withdrawn")
        return int(last) * 1_000_003 + int(connection.scalar(gone) or 0)


@for_team
def overview(request: Request) -> Response:
    site = site_of(request)
    kept = _figures(site)
    figures = kept.figures
    assert figures is not None
    width = _width(request.query_params.get("width", ""))
    return render(
        request,
        "team/overview.html",
        tab="overview",
        progress=progress(site.store, site.now()),
        skips=count_skips(site.store),
        figures=figures,
        raters=len(raters(site.store)),
        every=kept.every,
        picture=growth.picture(figures.growth),
        plan=plan(figures, width, kept.every),
        width=width,
        formats=list(FORMATS),
        files=[end.removeprefix(".") for end in CONTAINERS],
        said=said,
        ends=ends,
    )


def _width(text: str) -> float:
    """Half the width of the planned interval in points; 5 where none of use was given."""
    try:
        value = float(text[:16])
    except ValueError:
        return 5.0
    return min(max(value, WIDTHS[0]), WIDTHS[1]) if math.isfinite(value) else 5.0


@dataclass(frozen=True)
class Plan:
    """Prompts wanted for a win rate within the width, with `each` votes a prompt."""

    need: int
    each: int
    have: int
    more: int  # votes that are still to be given


def plan(figures: Figures, width: float, every: int = 1) -> Plan:
    """How many more votes: those of one prompt resemble each other as far as raters agree."""
    each = max(1, round(figures.each))
    alpha = figures.result.alpha.value if figures.result else None
    likeness = min(max(alpha if alpha is not None else 1.0, 0.0), 1.0)
    need = prompts_for_width(width / 100, repeats=each, likeness=likeness)
    have = figures.prompts * every
    return Plan(need, each, have, max(0, need - have) * each)


@for_team
def raters_page(request: Request) -> Response:
    site = site_of(request)
    kept = _figures(site)
    figures = kept.figures
    result = figures.result if figures else None
    by_name = {row.rater: row for row in result.raters} if result else {}
    seen = {one.rater.id: one for one in kept.seen}
    rows = [(_seen_now(one, seen), by_name.get(one.name)) for one in raters(site.store)]
    odd = [(seen, row) for seen, row in rows if row is not None and row.odd]
    words = words_of(request)
    return render(
        request,
        "team/raters.html",
        tab="raters",
        rows=rows,
        given=figures.given if figures else {},
        skips=count_skips(site.store).by,
        odd=odd,
        every=kept.every,
        said=said,
        ends=ends,
        because=lambda row: because(row, list(by_name.values()), words),
    )


def _seen_now(rater: Rater, seen: dict[str, Seen]) -> Seen:
    """Who came or withdrew since the figures were worked out is there as they are now."""
    known = seen.get(rater.id)
    return Seen(rater, 0, None, (0, 0)) if known is None else replace(known, rater=rater)


@for_team
def disputes_page(request: Request) -> Response:
    image = words_of(request).entries["work.image"]
    found = [
        (one, texts.turns(one.prompt, image), [texts.shown(text, image) for text in one.texts])
        for one in _figures(site_of(request)).disputes
    ]
    return render(request, "team/disputes.html", tab="disputes", found=found)


@for_team
def skipped_page(request: Request) -> Response:
    """What raters said cannot be judged, and why, by name."""
    store, words = site_of(request).store, words_of(request)
    image = words.entries["work.image"]
    found = [
        (one, texts.turns(one.prompt, image), [texts.shown(text, image) for text in one.texts])
        for one in skipped_items(store, MOST_SKIPPED)
    ]
    return render(
        request,
        "team/skipped.html",
        tab="skipped",
        found=found,
        counts=count_skips(store),
        why=lambda reason: why_skipped(reason, words),
    )


@for_team
def guidelines_editor(request: Request) -> Response:
    return _editor(request)


def _editor(
    request: Request, *, text: str | None = None, problem: str = "", **values: object
) -> Response:
    store = site_of(request).store
    current = guidelines(store)
    return render(
        request,
        "team/guidelines.html",
        422 if problem else 200,
        tab="guidelines",
        current=current,
        versions=list(reversed(guideline_versions(store))),
        text=current.text if text is None else text,
        problem=problem,
        values=values,
    )


def publish(request: Request, form: Form) -> Response:
    """A new version of the guidelines, unless somebody published another meanwhile."""
    check_team(request)
    store = site_of(request).store
    text = form.get("text", "").replace("\r\n", "\n").strip()
    current = guidelines(store)
    if form.get("base") != str(current.version):
        return _editor(request, text=text, problem="team.stale", version=current.version)
    if len(text) > LONGEST_GUIDELINES:
        return _editor(request, text=text, problem="error.long", n=LONGEST_GUIDELINES)
    if "\x00" in text:
        return _editor(request, text="", problem="error.control")
    if text == current.text:
        return _editor(request, text=text, problem="team.same")
    write_guidelines(store, text, "team")
    return _editor(request)


@for_team
def export(request: Request) -> Response:
    """The votes that stand as a file, `?file=csv` (or json, parquet) in place of JSON Lines.

    `?pseudonyms=1` without names; 404 where there is nothing, or nothing that such a file holds.
    """
    name, kind = request.path_params["format"], request.query_params.get("file", "jsonl")
    if name not in FORMATS or f".{kind}" not in CONTAINERS:
        raise RefusedError(404, "an export that is not there")
    site = site_of(request)
    hidden = request.query_params.get("pseudonyms") == "1"
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.{kind}"
        try:
            write_export(groups(site.store), path, name, pseudonyms=hidden)
        except (DataError, SettingsError) as error:
            figures = _figures(site).figures
            key = "team.no_rows" if figures and figures.votes else "team.no_votes"
            raise RefusedError(404, "nothing to export yet", key) from error
        body = path.read_bytes()
    headers = {"Content-Disposition": f'attachment; filename="{path.name}"'}
    return Response(body, media_type=CONTAINERS[f".{kind}"].media, headers=headers)
