"""The page where people judge, and what they send from it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from suffrage.label.queue import Nothing, Work, next_work
from suffrage.label.server import texts
from suffrage.label.server.assigned import find_assigned
from suffrage.label.server.feedback import feedback_of
from suffrage.label.server.forms import draft_of, skip_reason, vote_of
from suffrage.label.server.kinds import KINDS, Form, FormError, letters
from suffrage.label.server.pages import needs_consent
from suffrage.label.server.security import RefusedError
from suffrage.label.server.site import (
    go,
    rater_of,
    render,
    session_of,
    site_of,
    wants_json,
    words_of,
)
from suffrage.label.server.words import Words
from suffrage.label.store.guidelines import guidelines
from suffrage.label.store.judgments import save_draft, skip, submit, undo
from suffrage.label.store.raters import Rater

SKIPS = ("unclear", "knowledge", "broken", "language", "upsetting", "other")
# What a page may be told to say
NOTES = ("gone", "sent", "no_undo", "undone", "skipped", "unskipped")


@dataclass(frozen=True)
class Asked:
    """One item as the template shows it: nothing in it says who wrote an answer."""

    work: Work
    question: str
    turns: list[texts.Turn]
    answers: list[tuple[str, texts.Shown]]
    filled: Form


def work_page(request: Request) -> Response:
    """The next item, or why there is none."""
    rater = rater_of(request)
    if needs_consent(request, rater):
        return go("/consent")
    note = request.query_params.get("note", "")
    return _page(request, rater, f"work.{note}" if note in NOTES else "")


def _page(
    request: Request,
    rater: Rater,
    note: str = "",
    *,
    form: Form | None = None,
    problem: FormError | None = None,
) -> Response:
    """`form` and `problem`: what was sent and is not a vote yet."""
    site = site_of(request)
    work = next_work(site.store, rater.id)
    if isinstance(work, Nothing):
        return render(request, "nothing.html", reason=work.reason, note=note)
    asked = _asked(work, words_of(request), form)
    return render(
        request,
        "work.html",
        422 if problem else 200,
        asked=asked,
        work=work,
        kind=KINDS[work.kind],
        skips=SKIPS,
        note=note,
        problem=problem,
        client_id=(form or {}).get("client_id") or secrets.token_hex(16),
        opened=f"{site.now().timestamp():.0f}",
        raw=request.query_params.get("raw") == "1",
        guideline=guidelines(site.store),
        tag=session_of(request).tag(site.secret),
    )


def _asked(work: Work, words: Words, form: Form | None) -> Asked:
    shown = texts.answers(work.completions, words.entries["work.image"])
    names = letters(2) if work.kind == "pair" else [str(i + 1) for i in range(len(shown))]
    return Asked(
        work=work,
        question=question_of(work.kind, work.criterion, words),
        turns=texts.turns(work.prompt, words.entries["work.image"]),
        answers=list(zip(names, shown, strict=True)),
        filled=form if form is not None else _filled(work),
    )


def question_of(kind: str, criterion: str, words: Words) -> str:
    """What is asked, by a criterion of ours in the page's language or by the team's own."""
    if criterion == "overall":
        return words(f"{kind}.question")
    return words(f"{kind}.by", criterion=words.known(f"criterion.{criterion}", criterion))


def _filled(work: Work) -> Form:
    """A draft is newer than the vote that is being corrected."""
    if work.draft:
        return {str(key): str(value) for key, value in work.draft.items()}
    if work.judged is None:
        return {}
    shown = tuple(completion.id for completion in work.completions)
    filled = KINDS[work.kind].fill(work.judged, shown)
    return {**filled, "reason": work.judged.reason}


def vote(request: Request, form: Form) -> Response:
    """Store a vote; the same page sent twice is one vote."""
    rater, site = _consenting(request), site_of(request)
    assigned = find_assigned(site.store, rater.id, request.path_params["assignment"])
    try:
        found = vote_of(form, assigned, site.now().timestamp())
    except FormError as problem:
        return _incomplete(request, rater, form, problem)
    submitted = submit(site.store, rater.id, found)
    practice = submitted.right is not None
    return _next(request, f"/work/{assigned.assignment}/feedback" if practice else "/work")


def _consenting(request: Request) -> Rater:
    rater = rater_of(request)
    if needs_consent(request, rater):
        raise RefusedError(403, "a vote before consent")
    return rater


def _next(request: Request, path: str) -> Response:
    return JSONResponse({"next": path}) if wants_json(request) else go(path)


def _incomplete(request: Request, rater: Rater, form: Form, problem: FormError) -> Response:
    if not wants_json(request):
        return _page(request, rater, form=form, problem=problem)
    message = words_of(request)(problem.key, **problem.values_of)
    confirm = problem.key == "ranking.unchanged"
    body = {"message": message, "field": problem.field, "confirm": confirm}
    return JSONResponse(body, 422)


def skip_item(request: Request, form: Form) -> Response:
    """This item cannot be judged, and why."""
    rater, site = _consenting(request), site_of(request)
    assigned = find_assigned(site.store, rater.id, request.path_params["assignment"])
    try:
        reason = skip_reason(form, SKIPS)
    except FormError as problem:
        return _incomplete(request, rater, form, problem)
    skip(site.store, rater.id, assigned.assignment, reason)
    return _next(request, "/work?note=skipped")


def keep_draft(request: Request, form: Form) -> Response:
    """Keep what is not sent yet. 204."""
    rater, site = _consenting(request), site_of(request)
    assigned = find_assigned(site.store, rater.id, request.path_params["assignment"])
    try:
        body = draft_of(form)
    except FormError as problem:
        why = "a draft that cannot be kept"
        raise RefusedError(422, why, problem.key, **problem.values_of) from problem
    save_draft(site.store, rater.id, assigned.assignment, body)
    return Response(status_code=204)


def undo_last(request: Request, form: Form) -> Response:
    """Take up the last vote or skip again; the next vote from there replaces it."""
    rater = _consenting(request)
    found = undo(site_of(request).store, rater.id)
    if found is None:
        return _next(request, "/work?note=no_undo")
    return _next(request, f"/work?note={'unskipped' if found.judged is None else 'undone'}")


def feedback(request: Request) -> Response:
    """What was expected of a practice item, once it was judged."""
    rater, site = rater_of(request), site_of(request)
    assigned = find_assigned(site.store, rater.id, request.path_params["assignment"])
    if assigned.purpose != "practice" or assigned.state != "done":
        raise RefusedError(404, "feedback on what is no judged practice item")
    return render(
        request, "feedback.html", found=feedback_of(site.store, assigned, words_of(request))
    )
