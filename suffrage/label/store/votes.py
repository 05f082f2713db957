"""Taking one vote: who may give it, what refuses it, and what it changes."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from suffrage.core.records import Json, Judgment, RecordError
from suffrage.label.store.assignments import change, promise_repeat, with_task
from suffrage.label.store.counts import move
from suffrage.label.store.database import now_of
from suffrage.label.store.errors import LabelError
from suffrage.label.store.expected import Value, as_value, disagree, meaning
from suffrage.label.store.prepared import insert_into
from suffrage.label.store.raters import Rater
from suffrage.label.store.schema import assignments, drafts, judgments, raters
from suffrage.label.store.settings import Rules, as_rules

_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_ID, LONGEST_REASON = 100, 10_000


USED = "This vote's client id was used for another item; reload the page."
_NEW = insert_into(judgments, without="number")


@dataclass(frozen=True)
class Vote:
    """What a rater sends: `value` as in `Judgment`, where "a" is the first completion shown.

    `client_id` is made once for each vote by whoever sends it, so that a vote sent again is known.
    """

    assignment: str
    client_id: str
    value: Value
    strength: int | None = None
    reason: str = ""
    seconds: float | None = None  # active time, as the page measured it


@dataclass(frozen=True)
class Submitted:
    """`repeated`: it had been stored before. For practice, whether it was right and what is."""

    judgment_id: str
    repeated: bool
    right: bool | None = None
    expected: Value | None = None


def take_vote(connection: Connection, rater: Rater, vote: Vote) -> Submitted | LabelError:
    """Store the vote, or say why not; the caller's transaction keeps or drops it all."""
    if not (0 < len(vote.client_id) <= _LONGEST_ID and vote.client_id.isprintable()):
        return LabelError(f"A vote's client id has 1 to {_LONGEST_ID} printable characters.", 422)
    found = owned(connection, rater, vote.assignment)
    if isinstance(found, LabelError):
        return found
    if found.judged is not None:
        before = _sent_before(connection, rater, vote)
        if before is not None:
            return _again(found, before)
    rules = as_rules(found.rules)
    refusal = _closed(found) or _too_fast(connection, rater, rules, found)
    return refusal or _store(connection, rater, rules, found, vote)


def _sent_before(connection: Connection, rater: Rater, vote: Vote) -> Any | None:
    same = (judgments.c.rater_id == rater.id) & (judgments.c.client_id == vote.client_id)
    return connection.execute(sa.select(judgments).where(same)).first()


def owned(connection: Connection, rater: Rater, assignment_id: str) -> Any | LabelError:
    """The rater's assignment with its task, locked; or why it is not theirs to judge."""
    found = with_task(connection, assignment_id) if assignment_id.isprintable() else None
    if found is None:
        return LabelError("This item is not known; open the next one.", 404)
    if found.rater_id != rater.id:
        return LabelError("This item was given to somebody else; open the next one.", 403)
    return found


def _again(found: Any, before: Any) -> Submitted | LabelError:
    if before.assignment_id != found.id:
        return LabelError(USED, 409)
    return _submitted(found, before.id, before.value, before.shown, repeated=True)


def _submitted(
    found: Any, name: str, value: Json, shown: list[str], *, repeated: bool
) -> Submitted:
    if found.purpose != "practice":
        return Submitted(name, repeated)
    right = meaning(found.kind, _tuples(value), shown) == found.expected
    return Submitted(name, repeated, right, as_value(found.kind, found.expected, shown))


def _closed(found: Any) -> LabelError | None:
    if found.state == "done":
        return LabelError("You have judged this item; to change the vote, undo it first.", 409)
    if found.state == "skipped":
        return LabelError("You have skipped this item; open the next one.", 409)
    if found.state == "expired" and found.purpose == "work" and found.load >= found.wanted:
        return LabelError("Your time for this item was over and others have judged it.", 410)
    return None


def _too_fast(connection: Connection, rater: Rater, rules: Rules, found: Any) -> LabelError | None:
    if rules.seconds_between == 0 or found.judged is not None:
        return None
    mine = sa.select(sa.func.max(judgments.c.created)).where(judgments.c.rater_id == rater.id)
    last = connection.scalar(mine)
    if last is None:
        return None
    passed = datetime.fromisoformat(now_of(connection)) - datetime.fromisoformat(last)
    if passed.total_seconds() >= rules.seconds_between:
        return None
    return LabelError(
        f"Only {passed.total_seconds():.1f} seconds passed since your last vote and this project "
        f"asks for {rules.seconds_between:g}; read on and send it again.",
        429,
    )


def _store(
    connection: Connection, rater: Rater, rules: Rules, found: Any, vote: Vote
) -> Submitted | LabelError:
    try:
        judgment = _judgment(connection, rater, found, vote)
    except RecordError as error:
        return LabelError(f"This is no vote on the item: {error}.", 422)
    keep_judgment(
        connection,
        judgment,
        rater,
        assignment_id=found.id,
        task_id=found.task_id,
        client_id=vote.client_id,
        guideline=found.guideline,
    )
    if found.has_draft:
        connection.execute(drafts.delete().where(drafts.c.assignment_id == found.id))
    if found.purpose == "work":
        _count(connection, rater, rules, found)
    return _submitted(found, judgment.id, judgment.value, list(judgment.shown), repeated=False)


def _judgment(connection: Connection, rater: Rater, found: Any, vote: Vote) -> Judgment:
    if len(vote.reason) > LONGEST_REASON:
        raise RecordError(f"the reason has more than {LONGEST_REASON} characters")
    if _SURROGATE.search(vote.reason + str(vote.value)):
        raise RecordError("half a character was found, which no file can hold")
    return Judgment.from_json(
        {
            "id": secrets.token_hex(10),
            "prompt_id": found.prompt_id,
            "rater": rater.name,
            "rater_kind": rater.kind,
            "kind": found.kind,
            "criterion": found.criterion,
            "value": vote.value,
            "completions": found.shown,  # so that a and b are the same here and on the screen
            "shown": found.shown,
            "strength": vote.strength,
            "reason": vote.reason,
            "seconds": vote.seconds,
            "supersedes": _standing(connection, found),
            "created": now_of(connection),
        }
    )


def _standing(connection: Connection, found: Any) -> str | None:
    if found.judged is None:
        return None
    return connection.scalar(sa.select(judgments.c.id).where(judgments.c.number == found.judged))


def judgment_row(judgment: Judgment, rater_id: str) -> dict[str, Json]:
    """A record as a row of `judgments`; what only the server knows of a vote comes on top."""
    row = judgment.model_dump(mode="json")
    del row["rater"], row["rater_kind"]
    return {**row, "rater_id": rater_id}


def keep_judgment(
    connection: Connection,
    judgment: Judgment,
    rater: Rater,
    *,
    assignment_id: str,
    task_id: int,
    client_id: str | None = None,
    guideline: int | None = None,
) -> None:
    """Add the judgment, which is the assignment's from now on."""
    of_server = {"assignment_id": assignment_id, "task_id": task_id}
    page = {"client_id": client_id, "guideline": guideline}
    number = _NEW.run(connection, **judgment_row(judgment, rater.id), **of_server, **page)
    change(connection, assignment_id, state="done", judged=number)


def _count(connection: Connection, rater: Rater, rules: Rules, found: Any) -> None:
    new = found.judged is None
    late = new and found.state == "expired"  # its lease was given back
    votes = found.votes + new
    another = votes >= found.wanted < found.overlap and _conflict(connection, found)
    if new or another:
        more = {"votes": int(new), "load": int(late), "wanted": int(another)}
        move(connection, found.task_id, found, **more)
    if new and found.repeat_id is not None:
        mine = sa.select(sa.func.count(assignments.c.judged))
        given = connection.scalar(mine.where(assignments.c.rater_id == rater.id))
        promise_repeat(connection, rater, found.repeat_id, int(given or 0) + rules.repeat_gap)


def _conflict(connection: Connection, found: Any) -> bool:
    """Whether the votes on a task that stand disagree."""
    stand = (
        sa.select(judgments.c.value, judgments.c.completions)
        .join(assignments, assignments.c.judged == judgments.c.number)
        .join(raters, raters.c.id == judgments.c.rater_id)
        .where(assignments.c.task_id == found.task_id, raters.c.withdrawn.is_(None))
    )
    votes = connection.execute(stand).all()
    return disagree(found.kind, [meaning(found.kind, _tuples(v), ids) for v, ids in votes])


def _tuples(value: Json) -> Value:
    return tuple(map(tuple, value)) if isinstance(value, list) else value
