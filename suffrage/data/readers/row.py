"""What every reader is made of: a row's parts, its texts, numbers and turns.

A reader is one `Format`: the fields by which it knows its rows and a function that takes a row
apart. It raises `RowError` with the reason when a row is not what it should be; it never repairs
one in silence, because a repaired row is trained on by people who do not know of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from suffrage.core.records import Group, Message, Preference, SoftPair

Row = Mapping[str, Any]
Content = str | tuple[Message, ...]

SAME_TASK = "rows of the same task"

FIRST_WINS = Preference(pairs=(SoftPair(first=0, second=1),))
IMITATE = Preference(demonstrations=(0,))

# Who speaks, in the words of the files people have.
ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
}


class RowError(ValueError):
    """Why one row is refused, as the report shows it."""


@dataclass(frozen=True)
class Unreadable:
    """Stands for a row that could not be read at all."""

    reason: str


@dataclass(frozen=True, slots=True)
class Parts:
    """A row taken apart: the prompt, the answers, and what it says of them.

    `names` are the row's own words for its answers; reasons use them. A row without answers is a
    prompt only.
    """

    prompt: Content
    replies: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    preference: Preference | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A group with the judgments in a row, and what else the row holds but nobody can use."""

    group: Group
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Format:
    """One data format: how its rows are recognised and taken apart.

    `fields` are those a row must hold; `a|b` means one of the two. `fits` decides between formats
    with the same fields. `views` are the fields of `Preference` it fills. `note` is told to
    whoever reads such a file. Rows with the same `task` are one group: `parse` gets the first, with
    all of them under `SAME_TASK`.
    """

    name: str
    fields: tuple[str, ...]
    views: tuple[str, ...]
    parse: Callable[[Row], Parts | Group | Judged]
    fits: Callable[[Row], bool] = lambda row: True
    note: str = ""
    task: Callable[[Row], Hashable] | None = None

    def missing(self, row: Row) -> str | None:
        """The first field the row lacks (a null counts as lacking), or None."""
        for field in self.fields:
            if row.get(field) is None and ("|" not in field or _has_none(row, field)):
                return field
        return None

    def recognises(self, row: Row) -> bool:
        return self.missing(row) is None and self.fits(row)


def _has_none(row: Row, either: str) -> bool:
    return all(row.get(name) is None for name in either.split("|"))


def recognise(row: Row, formats: Iterable[Format]) -> Format | None:
    """The first format that knows the row."""
    return next((form for form in formats if form.recognises(row)), None)


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    kinds = {int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return kinds.get(type(value), type(value).__name__)


def text(value: Any, name: str) -> str:
    """The value as text that can be written as UTF-8; it may be empty."""
    if not isinstance(value, str):
        raise RowError(f"{name} is {kind_of(value)}, not text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RowError(f"{name} holds half a character (a lone surrogate)") from None
    return value


def number(value: Any, name: str) -> float:
    """The value as a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowError(f"{name} holds {kind_of(value)} where a number should be")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise RowError(f"{name} holds a number that is not finite")
    return result


def stated(row: Row, name: str) -> Any:
    """What a cell says; None where it is empty, for which tables have null, no text, or nan."""
    value = row.get(name)
    blank = isinstance(value, str) and not value.strip()
    return None if blank or value != value else value


def at_least_0(value: Any, name: str) -> float:
    """The value as a number from 0 on; a CSV file has it as text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise RowError(f"{name} holds text where a number should be") from None
    found = number(value, name)
    if found < 0:
        raise RowError(f"{name} is {found:g}, less than 0")
    return found


def share(value: Any, name: str) -> float:
    """The value as a share from 0 to 1."""
    found = at_least_0(value, name)
    if found > 1:
        raise RowError(f"{name} is {found:g}, no share from 0 to 1")
    return found


def items(value: Any, name: str) -> list[Any]:
    """The value as a list."""
    if not isinstance(value, list):
        raise RowError(f"{name} is {kind_of(value)}, not a list")
    return value


def turns(value: Any, name: str) -> tuple[Message, ...]:
    """The turns of a conversation, `role`/`content` or ShareGPT's `from`/`value`.

    A system turn without text says nothing and is left out.
    """
    said = tuple(_turn(item, f"{name}, turn {k}") for k, item in enumerate(items(value, name), 1))
    return tuple(turn for turn in said if turn.role != "system" or turn.content.strip())


def _turn(value: Any, name: str) -> Message:
    if not isinstance(value, dict):
        raise RowError(f"{name} is {kind_of(value)}, not an object with role and content")
    speaker = value.get("role", value.get("from"))
    role = ROLES.get(speaker) if isinstance(speaker, str) else None
    if role is None:
        raise RowError(f"{name} has an unknown role ({str(speaker)[:20]!a})")
    content = text(value.get("content", value.get("value")), name)
    return Message(role=role, content=content)


def conversation(row: Row, name: str) -> tuple[Message, ...]:
    """The turns in field `name`; a `system` field of the row goes first unless they have one."""
    said = turns(row[name], name)
    return said if said and said[0].role == "system" else system_turn(row) + said


def system_turn(row: Row) -> tuple[Message, ...]:
    """The row's `system` field as a turn, if it says anything."""
    words = text(row["system"], "system") if row.get("system") is not None else ""
    return (Message(role="system", content=words),) if words.strip() else ()


def prompt_of(value: Any) -> Content:
    """A prompt: text, or the messages so far."""
    return turns(value, "prompt") if isinstance(value, list) else text(value, "prompt")


def last_answer(said: tuple[Message, ...], name: str) -> str:
    """The text of the last turn, which must be the assistant's."""
    if not said or said[-1].role != "assistant":
        raise RowError(f"{name} does not end with an assistant's turn")
    return said[-1].content


def answer_to(prompt: Content, value: Any, name: str) -> tuple[Content, str]:
    """The prompt and one answer to it: text, a message, or messages that may repeat the prompt.

    An answer given as messages makes a plain prompt the user's message.
    """
    if not isinstance(value, dict | list):
        return prompt, text(value, name)
    said = turns([value] if isinstance(value, dict) else value, name)
    answer, before = last_answer(said, name), said[:-1]
    asked = (Message(role="user", content=prompt),) if isinstance(prompt, str) else prompt
    if before and before[-len(asked) :] != asked:
        raise RowError(f"{name} has turns before the answer that are not the prompt's")
    return before or asked, answer
