"""What raters say: submitted once whatever the network does, corrected by adding, never changed."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from suffrage.core.records import Json
from suffrage.label.store.assignments import change
from suffrage.label.store.counts import move
from suffrage.label.store.database import Store, as_text, now_of
from suffrage.label.store.errors import LabelError
from suffrage.label.store.events import log
from suffrage.label.store.raters import working_rater
from suffrage.label.store.schema import assignments, drafts, judgments, skips, tasks
from suffrage.label.store.settings import insert, rules_of
from suffrage.label.store.skips import bring_back, last_skip
from suffrage.label.store.votes import LONGEST_REASON, USED, Submitted, Vote, owned, take_vote
from suffrage.label.store.work import Work, work_of

__all__ = ["Submitted", "Vote", "draft", "save_draft", "skip", "submit", "undo"]


def submit(store: Store, rater_id: str, vote: Vote) -> Submitted:
    """Store a vote; when this returns, it is on the disk.

    `LabelError` 403 for another's assignment, 404 for an unknown one, 409 where it was judged or
    skipped, 410 where the lease ended and others filled the place (the vote stays in the events),
    422 for a value that is no vote of this kind, 429 before the shortest time between votes.
    """
    try:
        with store.transaction() as connection:
            outcome = take_vote(connection, working_rater(connection, rater_id), vote)
            if isinstance(outcome, LabelError):
                log(connection, rater_id, "refused", _as_json(vote, outcome.status))
    except sa.exc.IntegrityError as error:
        raise LabelError(USED, 409) from error
    if isinstance(outcome, LabelError):  # after the transaction, which keeps the event
        raise outcome
    return outcome


def _as_json(vote: Vote, status: int) -> dict[str, Json]:
    """What came too late is kept whole; of what never was a vote, where it was aimed."""
    body: dict[str, Json] = {"status": status, "assignment": vote.assignment[:100]}
    if status not in (409, 410):
        return body
    said = {"value": vote.value, "strength": vote.strength, "reason": vote.reason}
    return {**body, "client_id": vote.client_id, **said}


def undo(store: Store, rater_id: str) -> Work | None:
    """Open this rater's last vote again, or the one before what is open; None where there is none.

    The vote stands until a new one supersedes it. Practice is not undone: its answer was shown.
    What was skipped last is brought back in the same way, unless others have filled its place.
    """
    with store.transaction() as connection:
        working_rater(connection, rater_id)
        opened = _last(connection, rater_id, "open", None)
        until = store.clock() + timedelta(seconds=rules_of(connection).lease_seconds)
        found = _open_last(connection, rater_id, opened, as_text(until))
        if found is None:
            return None if opened is None else work_of(connection, opened.id)
        if opened is not None:
            change(connection, opened.id, state="done")
        return work_of(connection, found)


def _open_last(
    connection: Connection, rater_id: str, opened: _Judged | None, until: str
) -> str | None:
    """Open the last vote or skip before what is opened already; the assignment, None for none."""
    number, moment = (None, None) if opened is None else (opened.judged, opened.created or "")
    vote = _last(connection, rater_id, "done", number)
    skipped = last_skip(connection, rater_id, moment)
    if skipped is not None and (vote is None or skipped.created >= (vote.created or "")):
        bring_back(connection, skipped, until)
        name, about = str(skipped.assignment_id), {"skipped": skipped.reason}
    elif vote is not None:
        change(connection, vote.id, state="open", leased_until=until)
        name, about = vote.id, {}
    else:
        return None
    log(connection, rater_id, "undone", {"assignment": name, **about})
    return name


_Judged = Row[str, int | None, str | None]


def _last(connection: Connection, rater_id: str, state: str, before: int | None) -> _Judged | None:
    """The rater's last judged assignment in this state, before this number; when it was judged."""
    table = assignments
    mine = (table.c.rater_id == rater_id) & (table.c.state == state) & table.c.judged.is_not(None)
    if before is not None:
        mine &= table.c.judged < before
    chosen = sa.select(table.c.id, table.c.judged, judgments.c.created)
    chosen = chosen.join(judgments, judgments.c.number == table.c.judged)
    chosen = chosen.join(tasks, tasks.c.id == table.c.task_id)
    chosen = chosen.where(mine, tasks.c.purpose != "practice")
    return connection.execute(chosen.order_by(table.c.judged.desc()).limit(1)).first()


def skip(store: Store, rater_id: str, assignment_id: str, reason: str) -> None:
    """Leave an item to others, saying why; skipping it again changes nothing.

    `LabelError` 403, 404 and 422 as `submit`, 409 for an item that has the rater's vote.
    """
    with store.transaction() as connection:
        found = owned(connection, working_rater(connection, rater_id), assignment_id)
        if isinstance(found, LabelError):
            raise found
        if not 0 < len(reason.strip()) <= LONGEST_REASON:
            raise LabelError(
                f"Say in 1 to {LONGEST_REASON} characters why this item is skipped.", 422
            )
        if found.judged is not None:
            raise LabelError("This item has your vote; submit another one to change it.", 409)
        if found.state == "skipped":
            return
        row = {"assignment_id": found.id, "rater_id": rater_id, "reason": reason}
        connection.execute(skips.insert().values({**row, "created": now_of(connection)}))
        change(connection, found.id, state="skipped")
        connection.execute(drafts.delete().where(drafts.c.assignment_id == found.id))
        if found.state == "open":
            move(connection, found.task_id, found, load=-1)


def save_draft(store: Store, rater_id: str, assignment_id: str, body: dict[str, Json]) -> None:
    """Keep what is half written, in place of the draft before; `LabelError` as `skip`."""
    with store.transaction() as connection:
        found = owned(connection, working_rater(connection, rater_id), assignment_id)
        if isinstance(found, LabelError):
            raise found
        if found.state not in ("open", "expired", "due"):
            raise LabelError("This item is judged or skipped; open the next one.", 409)
        row = {"assignment_id": found.id, "body": body, "saved": now_of(connection)}
        new = insert(connection, drafts).values(row)
        kept = {"body": new.excluded.body, "saved": new.excluded.saved}
        connection.execute(new.on_conflict_do_update(index_elements=["assignment_id"], set_=kept))


def draft(store: Store, assignment_id: str) -> dict[str, Json] | None:
    """What was half written of this assignment, or None."""
    chosen = sa.select(drafts.c.body).where(drafts.c.assignment_id == assignment_id)
    with store.reading() as connection:
        return connection.scalar(chosen) if assignment_id.isprintable() else None
