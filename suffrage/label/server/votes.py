"""The page where people judge, and what they send from it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
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
    render_kept,
    session_of,
    site_of,
    templates_of,
    wants_json,
    words_of,
)
from suffrage.label.server.templating import blank
from suffrage.label.server.words import Words
from suffrage.label.store.guidelines import guidelines
from suffrage.label.store.judgments import save_draft, skip, submit, undo
from suffrage.label.store.raters import Rater

SKIPS = ("unclear", "knowledge", "broken", "language", "upsetting", "other")
# What a page may be told to say
NOTES = ("gone", "sent", "no_undo", "undone", "skipped", "unskipped")


@dataclass(frozen=True)
class Asked:
    """What a page of work shares with others: all but its texts and who they are shown to.

    `again`: a vote that is being corrected. `answers`: names on the screen, each with its blank.
    """

    purpose: str
    question: str
    again: bool
    conversation: bool
    answers: tuple[tuple[str, Markup], ...]
    fields: tuple[tuple[str, str], ...]  # what the form holds already

    @property
    def filled(self) -> Form:
        return dict(self.fields)


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
    names = _names(work)
    own = {
        **_texts(request, work, names),
        **_progress(work, words_of(request)),
        "assignment": work.assignment,
        "client_id": (form or {}).get("client_id") or secrets.token_hex(16),
        "opened": f"{site.now().timestamp():.0f}",
        "tag": session_of(request).tag(site.secret),
    }
    asked = _asked(work, names, words_of(request), form)
    return render_kept(
        request,
        "work.html",
        own,
        422 if problem else 200,
        keep=not asked.fields and problem is None,
        asked=asked,
        kind=KINDS[work.kind],
        skips=SKIPS,
        note=note,
        problem=problem,
        raw=request.query_params.get("raw") == "1",
        guideline=guidelines(site.store),
    )


def _names(work: Work) -> list[str]:
    """Of the answers on the screen."""
    if work.kind == "pair":
        return letters(2)
    return [str(number) for number, _ in enumerate(work.completions, 1)]


def _texts(request: Request, work: Work, names: Sequence[str]) -> dict[str, Markup]:
    """The prompt and the answers as HTML: nothing in it says who wrote an answer."""
    words, templates = words_of(request), templates_of(request)
    image = words.entries["work.image"]
    shown = [templates.macro("text", one, words) for one in texts.answers(work.completions, image)]
    turns = templates.macro("turns", texts.turns(work.prompt, image), words)
    return {"prompt": turns, **dict(zip(names, shown, strict=True))}


def _progress(work: Work, words: Words) -> dict[str, object]:
    said = words("work.progress", done=work.done, total=work.total)
    return {"done": work.done, "most": max(work.total, 1), "progress": said}


def _asked(work: Work, names: Sequence[str], words: Words, form: Form | None) -> Asked:
    return Asked(
        purpose=work.purpose,
        question=question_of(work.kind, work.criterion, words),
        again=work.judged is not None,
        conversation=not isinstance(work.prompt.content, str) and len(work.prompt.content) != 1,
        answers=tuple((name, blank(name)) for name in names),
        fields=tuple((form if form is not None else _filled(work)).items()),
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
