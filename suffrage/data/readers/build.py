"""From the parts of a row to the record, and what every format is refused for.

An empty answer, an answer compared with itself and a prompt that asks nothing cannot be learned
from whatever the format, so they are refused here, once.
"""

from __future__ import annotations

from typing import Any

from suffrage.core.records import Completion, Group, Meta, Preference, Prompt, RecordError, short_id
from suffrage.data.readers.row import (
    Content,
    Judged,
    Parts,
    Row,
    RowError,
    at_least_0,
    share,
    stated,
    text,
)

ID_FIELDS = ("id", "question_id", "prompt_id")


class Ids:
    """Hands out each id once: the second row called `x` is `x#2`."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}
        self.repeated = 0

    def take(self, wanted: str) -> str:
        if wanted not in self._given:
            self._given[wanted] = 1
            return wanted
        self.repeated += 1
        name = wanted
        while name in self._given:
            self._given[wanted] += 1
            name = f"{wanted}#{self._given[wanted]}"
        self._given[name] = 1
        return name


def build_group(row: Row, parts: Parts | Group | Judged, ids: Ids) -> Group:
    """The group of a row that was taken apart; `RowError` when nothing can be learned from it."""
    if isinstance(parts, Judged):
        _check_judged(parts.group)
        parts = parts.group
    if isinstance(parts, Group):
        return _renamed(parts, ids.take(parts.prompt.id))
    _check_prompt(parts.prompt)
    _check_replies(parts)
    prompt = _prompt(row, parts.prompt, ids)
    completions = tuple(
        Completion(id=f"{prompt.id}-{place}", prompt_id=prompt.id, text=reply)
        for place, reply in enumerate(parts.replies)
    )
    preference = parts.preference and _counted(row, parts.preference)
    try:
        return Group.from_json(
            {"prompt": prompt, "completions": completions, "preference": preference}
        )
    except RecordError as error:
        raise RowError(str(error)) from None


def _counted(row: Row, preference: Preference) -> Preference:
    """The preference with what the row says of its weight and, of a lone pair, its strength."""
    update: dict[str, object] = {}
    if (weight := stated(row, "weight")) is not None:
        update["weight"] = at_least_0(weight, "weight")
    if len(preference.pairs) == 1 and (said := stated(row, "strength")) is not None:
        strength = share(said, "strength")
        update["pairs"] = (preference.pairs[0].model_copy(update={"strength": strength}),)
    return preference.model_copy(update=update) if update else preference


def build_prompt(row: Row, parts: Parts | Group | Judged, ids: Ids) -> Prompt:
    """The prompt of a row, whatever its answers are worth."""
    if isinstance(parts, Judged):
        _check_prompt(parts.group.prompt.content)
        parts = parts.group
    if isinstance(parts, Group):
        return _renamed(parts, ids.take(parts.prompt.id)).prompt
    _check_prompt(parts.prompt)
    return _prompt(row, parts.prompt, ids)


def _check_judged(group: Group) -> None:
    _check_prompt(group.prompt.content)
    for place, completion in enumerate(group.completions, 1):
        if not completion.text.strip():
            raise RowError(f"answer {place} is empty")


def _check_prompt(content: Content) -> None:
    if isinstance(content, str):
        if not content.strip():
            raise RowError("the prompt is empty")
        return
    if not content:
        raise RowError("the prompt is empty")
    for place, turn in enumerate(content, 1):
        if not turn.content.strip():
            raise RowError(f"turn {place} of the prompt is empty")
    if content[-1].role == "assistant":
        raise RowError("the prompt ends with an assistant's turn")


def _check_replies(parts: Parts) -> None:
    if not parts.replies:
        raise RowError("has no answer: the last turn is not the assistant's")
    for name, reply in zip(parts.names, parts.replies, strict=True):
        if not reply.strip():
            raise RowError(f"{name} is empty")
    if len(parts.replies) == 2 and parts.replies[0].strip() == parts.replies[1].strip():
        raise RowError(f"{parts.names[0]} equals {parts.names[1]}")


def _prompt(row: Row, content: Content, ids: Ids) -> Prompt:
    meta: Meta = {}
    if isinstance(row.get("category"), str):
        meta["category"] = text(row["category"], "category")
    name = next((row[field] for field in ID_FIELDS if row.get(field) not in (None, "")), None)
    if type(name) is int:
        meta["id"] = name  # as the file has it, for whoever writes the answers back
    wanted = _id_text(name) or short_id(*_words(content))
    return Prompt(id=ids.take(wanted), content=content, meta=meta)


def _id_text(name: Any) -> str | None:
    if type(name) is int:
        return str(name)
    return text(name, "id") if isinstance(name, str) else None


def _words(content: Content) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [word for turn in content for word in (turn.role, turn.content)]


def _renamed(group: Group, name: str) -> Group:
    """The group under another prompt id; the ids of its completions stay."""
    if name == group.prompt.id:
        return group
    belongs = {"prompt_id": name}
    return group.model_copy(
        update={
            "prompt": group.prompt.model_copy(update={"id": name}),
            "completions": tuple(one.model_copy(update=belongs) for one in group.completions),
            "judgments": tuple(one.model_copy(update=belongs) for one in group.judgments),
        }
    )
