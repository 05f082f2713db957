"""Readers of pairs: a chosen and a rejected answer.

Some files give the prompt, some leave it to be found as what both sides begin with. Two sides that
begin differently answer different prompts and cannot be compared, so the row is refused.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import groupby

from suffrage.core.records import Message, Preference, SoftPair
from suffrage.data.readers.row import (
    FIRST_WINS,
    Content,
    Format,
    Parts,
    Row,
    RowError,
    answer_to,
    conversation,
    last_answer,
    prompt_of,
    share,
    stated,
    text,
    turns,
)
from suffrage.data.readers.tasks import task_prompt

SIDES = ("chosen", "rejected")
# A row with one of these has its prompt there, in a form no reader knows; to take the common
# beginning of the answers for the prompt instead would train on nonsense.
OTHER_PROMPTS = ("input", "query", "context")
_SPEAKER = re.compile(r"\n\n(Human|Assistant):")
_HH_ROLES = {"Human": "user", "Assistant": "assistant"}
# Where a shared beginning may end: before white space, after a line end or CJK punctuation.
_BOUNDARY = re.compile(r"(?<=\S)(?=[^\S\n])|(?<=\n)(?!\s)|(?<=[。！？：；，、])")


def _pair(prompt: Content, chosen: str, rejected: str) -> Parts:
    return Parts(prompt, (chosen, rejected), SIDES, FIRST_WINS)


def _explicit(row: Row) -> Parts:
    parts = _answers(prompt_of(row["prompt"]), row)
    voted = stated(row, "vote_share")
    if voted is None:
        return parts
    pair = SoftPair(first=0, second=1, probability=share(voted, "vote_share"))
    return Parts(parts.prompt, parts.replies, parts.names, Preference(pairs=(pair,)))


def _answers(prompt: Content, row: Row) -> Parts:
    asked, chosen = answer_to(prompt, row["chosen"], "chosen")
    asked_too, rejected = answer_to(prompt, row["rejected"], "rejected")
    if asked != asked_too:
        raise RowError("chosen and rejected have different prompts")
    return _pair(asked, chosen, rejected)


def _messages(row: Row) -> Parts:
    return _answers(conversation(row, "messages"), row)


def _sharegpt(row: Row) -> Parts:
    return _answers(conversation(row, "conversations"), row)


def _task(row: Row) -> Parts:
    return _answers(task_prompt(row), row)


def _implicit(row: Row) -> Parts:
    if isinstance(row["chosen"], list):
        return _split(turns(row["chosen"], "chosen"), turns(row["rejected"], "rejected"))
    chosen, rejected = (text(row[side], side) for side in SIDES)
    shared = _shared_beginning(chosen, rejected)
    return _pair(chosen[:shared], chosen[shared:], rejected[shared:])


def _split(chosen: tuple[Message, ...], rejected: tuple[Message, ...]) -> Parts:
    """Two whole conversations: all but the last turn is the prompt, and must be the same."""
    answers = last_answer(chosen, "chosen"), last_answer(rejected, "rejected")
    if chosen[:-1] != rejected[:-1]:
        raise RowError("chosen and rejected have different prompts")
    return _pair(chosen[:-1], *answers)


def _shared_beginning(chosen: str, rejected: str) -> int:
    """How many characters both sides begin with, cut back to the end of a word."""
    if chosen == rejected:
        raise RowError("chosen equals rejected")
    lengths = range(min(len(chosen), len(rejected)) + 1)
    common = bisect_left(lengths, True, key=lambda n: chosen[:n] != rejected[:n]) - 1
    for end in range(common, 0, -1):
        if not _BOUNDARY.match(chosen, end, common):
            continue
        if all(part.strip() for part in (chosen[:end], chosen[end:], rejected[end:])):
            return end
    raise RowError("chosen and rejected share no beginning that could be the prompt")


def _hh(row: Row) -> Parts:
    parts = _split(_dialogue(row["chosen"], "chosen"), _dialogue(row["rejected"], "rejected"))
    return Parts(_joined(parts.prompt), parts.replies, parts.names, parts.preference)


def _dialogue(value: object, name: str) -> tuple[Message, ...]:
    _, *said = _SPEAKER.split("\n\n" + text(value, name).lstrip())
    return tuple(
        Message(role=_HH_ROLES[speaker], content=words.strip())
        for speaker, words in zip(said[::2], said[1::2], strict=True)
    )


def _joined(said: Content) -> Content:
    """Two turns of one speaker in a row become one: chat templates refuse such dialogues."""
    assert not isinstance(said, str)
    return tuple(
        Message(role=role, content="\n\n".join(turn.content for turn in same))
        for role, same in groupby(said, key=lambda turn: turn.role)
    )


def _is_dialogue(row: Row) -> bool:
    sides = (row["chosen"], row["rejected"])
    return all(isinstance(side, str) and side.lstrip().startswith("Human:") for side in sides)


def _has_no_other_prompt(row: Row) -> bool:
    alike = type(row["chosen"]) is type(row["rejected"]) and isinstance(row["chosen"], str | list)
    return alike and all(row.get(name) is None for name in OTHER_PROMPTS)


PAIRS = ("pairs",)
EXPLICIT = Format("TRL preference", ("prompt", *SIDES), PAIRS, _explicit)
SHAREGPT = Format("ShareGPT preference", ("conversations", *SIDES), PAIRS, _sharegpt)
MESSAGES = Format("messages preference", ("messages", *SIDES), PAIRS, _messages)
TASK = Format("Alpaca preference", ("instruction|question", *SIDES), PAIRS, _task)
HH = Format(
    "Anthropic HH dialogues",
    SIDES,
    PAIRS,
    _hh,
    _is_dialogue,
    "the last Assistant turn is the answer, all before it the prompt; two turns in a row of one "
    "speaker are joined",
)
IMPLICIT = Format(
    "TRL implicit preference",
    SIDES,
    PAIRS,
    _implicit,
    _has_no_other_prompt,
    "what both sides begin with is the prompt",
)
