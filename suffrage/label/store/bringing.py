"""Bringing groups in: prompts, completions and judgments, some hundreds of prompts at a time."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from suffrage.core.errors import DataError
from suffrage.core.records import Completion, Group, Judgment, Prompt
from suffrage.label.store.database import Store
from suffrage.label.store.raters import Rater, ensure_raters
from suffrage.label.store.schema import completions, judgments, preferences, prompts
from suffrage.label.store.unsigned import Kept, is_unsigned, kept_of, preference_of, row_of
from suffrage.label.store.votes import judgment_row
from suffrage.label.store.work import JUDGMENTS, completion_of, judgment_of

AT_ONCE = 300  # prompts read or written together


def add_groups(store: Store, groups: Iterable[Group]) -> int:
    """Prompts, completions and judgments, all or none; their raters are made where new.

    Returns how many groups brought something: the same again changes nothing. The `preference` of
    a group with judgments is not kept, as it follows from them; that of a group without any is, and
    stands for as long as nobody judges the prompt. `DataError` where an id stands for something
    else already, or text cannot be stored.
    """
    with store.transaction() as connection:
        return bring(connection, groups)


def bring(connection: Connection, groups: Iterable[Group]) -> int:
    """As `add_groups`, within a transaction that does more."""
    last = connection.scalar(sa.select(sa.func.max(prompts.c.position)))
    place, changed = -1 if last is None else int(last), 0
    people: dict[str, Rater] = {}
    for some in _batches(groups):
        for group in some:
            _check_text(group)
        batch = _Batch(_known(connection, {group.prompt.id for group in some}), place + 1)
        changed += sum([batch.add(group) for group in some])
        place += len(batch.prompts)
        _write(connection, batch, people)
    return changed


def _batches(groups: Iterable[Group]) -> Iterator[list[Group]]:
    rest = iter(groups)
    while some := list(islice(rest, AT_ONCE)):
        yield some


@dataclass
class _Known:
    """What the project holds of some prompts; completions and judgments by prompt, then by id."""

    prompts: dict[str, Prompt] = field(default_factory=dict)
    completions: dict[str, dict[str, Completion]] = field(default_factory=lambda: defaultdict(dict))
    judgments: dict[str, dict[str, Judgment]] = field(default_factory=lambda: defaultdict(dict))
    preferences: dict[str, Kept] = field(default_factory=dict)


def _known(connection: Connection, ids: set[str]) -> _Known:
    found = _Known()
    for row in connection.execute(sa.select(prompts).where(prompts.c.id.in_(ids))):
        found.prompts[row.id] = Prompt(id=row.id, content=row.content, meta=row.meta)
    if not found.prompts:
        return found
    for row in connection.execute(sa.select(completions).where(completions.c.prompt_id.in_(ids))):
        found.completions[row.prompt_id][row.id] = completion_of(row)
    for row in connection.execute(JUDGMENTS.where(judgments.c.prompt_id.in_(ids))):
        found.judgments[row.prompt_id][row.id] = judgment_of(row)
    found.preferences = kept_of(connection, ids)
    return found


class _Batch:
    """Rows to be written, for what is not known yet."""

    def __init__(self, known: _Known, place: int) -> None:
        self.known, self.place = known, place
        self.prompts: list[dict[str, Any]] = []
        self.completions: list[dict[str, Any]] = []
        self.judgments: list[Judgment] = []
        self.preferences: list[dict[str, Any]] = []

    def add(self, group: Group) -> bool:
        """Whether the group brought something."""
        new = self._prompt(group.prompt)
        new |= sum([self._completion(one, group.prompt.id) for one in group.completions]) > 0
        new |= sum([self._judgment(one, group.prompt.id) for one in group.judgments]) > 0
        return new | self._preference(group)

    def _prompt(self, prompt: Prompt) -> bool:
        if not _is_new(self.known.prompts, prompt, "prompt", ""):
            return False
        row = prompt.model_dump(mode="json")
        self.prompts.append({**row, "position": self.place + len(self.prompts)})
        return True

    def _completion(self, completion: Completion, prompt: str) -> bool:
        known = self.known.completions[prompt]
        if not _is_new(known, completion, "completion", f" of prompt {prompt!r}"):
            return False
        row = completion.model_dump(mode="json")
        self.completions.append({**row, "position": len(known) - 1})
        return True

    def _judgment(self, judgment: Judgment, prompt: str) -> bool:
        known = self.known.judgments[prompt]
        if not _is_new(known, judgment, "judgment", f" of prompt {prompt!r}"):
            return False
        self.judgments.append(judgment)
        return True

    def _preference(self, group: Group) -> bool:
        if group.preference is None or not is_unsigned(group):
            return False
        name = group.prompt.id
        kept: Kept = ([one.id for one in group.completions], group.preference)
        before, every = self.known.preferences.get(name), [*self.known.completions[name].values()]
        if before is None:
            self.known.preferences[name] = kept
            self.preferences.append(row_of(name, kept))
        elif preference_of(before, every) != preference_of(kept, every):
            raise DataError(
                f"prompt {name!r} is in the project with another preference that names no rater; "
                "give the new prompt another id, or say in `judgments` who says what."
            )
        return before is None


_Part = TypeVar("_Part", Prompt, Completion, Judgment)


def _is_new(known: dict[str, _Part], one: _Part, what: str, of: str) -> bool:
    """Keep what is new; `DataError` where its id stands for something else."""
    if one.id not in known:
        known[one.id] = one
        return True
    if known[one.id] != one:
        raise DataError(
            f"{what} {one.id!r}{of} is in the project with other content; give the new one "
            "another id."
        )
    return False


def _write(connection: Connection, batch: _Batch, people: dict[str, Rater]) -> None:
    """`people`: the raters met so far; those of this batch are added."""
    people_of(connection, batch.judgments, people)
    said = [judgment_row(one, people[one.rater].id) for one in batch.judgments]
    for table, rows in ((prompts, batch.prompts), (completions, batch.completions)):
        _insert(connection, table, rows)
    _insert(connection, judgments, said)
    _insert(connection, preferences, batch.preferences)


def _insert(connection: Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(table.insert(), rows)


def people_of(connection: Connection, said: Iterable[Judgment], people: dict[str, Rater]) -> None:
    """Add whoever said these and is not among `people`, made where new.

    `DataError` where a rater's kind is another than before.
    """
    kinds = {(one.rater, one.rater_kind) for one in said}
    for name, kind in sorted(kinds):
        if name not in people or people[name].kind != kind:
            people |= ensure_raters(connection, {name: kind})


def _check_text(group: Group) -> None:
    """Ids and names are text columns, which hold no NUL; JSON columns hold no NaN."""
    names = [group.prompt.id]
    for completion in group.completions:
        names += [completion.id, completion.source]
    for judgment in group.judgments:
        names += [judgment.id, judgment.criterion, judgment.created or "", judgment.rater]
    if any("\0" in name for name in names):
        raise DataError(
            f"prompt {group.prompt.id!r} has an id or a name with a NUL character; rename it."
        )
    free = [group.prompt.meta, [one.settings for one in group.completions]]
    try:
        json.dumps(free, allow_nan=False)
        finite = all(math.isfinite(one.seconds or 0) for one in group.judgments)
    except ValueError:
        finite = False
    if not finite:
        raise DataError(
            f"prompt {group.prompt.id!r} holds a number that is not finite; write null for it."
        )
