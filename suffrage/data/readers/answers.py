"""Readers of single answers: to imitate (demonstrations) or with a thumb up or down (labels)."""

from __future__ import annotations

from typing import Any

from suffrage.core.records import Message, Preference
from suffrage.data.readers.row import (
    IMITATE,
    Content,
    Format,
    Parts,
    Row,
    RowError,
    answer_to,
    conversation,
    kind_of,
    prompt_of,
    share,
    stated,
    text,
)
from suffrage.data.readers.tasks import task_prompt

LAST_TURN = "the last assistant turn is the answer, all before it the prompt"
_WORDS = {"true": True, "1": True, "false": False, "0": False}


def _completion(row: Row) -> Parts:
    prompt, answer = answer_to(prompt_of(row["prompt"]), row["completion"], "completion")
    return Parts(prompt, (answer,), ("completion",), IMITATE)


def _task(row: Row) -> Parts:
    return Parts(task_prompt(row), (text(row["output"], "output"),), ("output",), IMITATE)


def _conversation(row: Row) -> Parts:
    name = "messages" if row.get("messages") is not None else "conversations"
    return _last_turn(conversation(row, name))


def _last_turn(said: tuple[Message, ...]) -> Parts:
    """A conversation that ends with the user is a prompt without an answer."""
    prompt: Content = said
    if not said or said[-1].role != "assistant":
        return Parts(prompt)
    return Parts(said[:-1], (said[-1].content,), ("the last turn",), IMITATE)


def _labelled(parts: Parts, row: Row) -> Parts:
    """By the share of the votes for it, where the row says that too."""
    label = float(_truth(row["label"]))
    if (voted := stated(row, "vote_share")) is not None:
        label = share(voted, "vote_share")
    return Parts(parts.prompt, parts.replies, parts.names, Preference(labels=(label,)))


def _truth(label: Any) -> bool:
    """True or false; also 1 and 0, and the words a CSV file has for them."""
    if isinstance(label, bool):
        return label
    known = _WORDS.get(str(label).strip().lower()) if isinstance(label, str | int) else None
    if known is None:
        found = f"{label[:20]!a}" if isinstance(label, str) else kind_of(label)
        raise RowError(f"label is {found}, not true or false")
    return known


def _unpaired(row: Row) -> Parts:
    return _labelled(_completion(row), row)


def _thumbed_conversation(row: Row) -> Parts:
    return _labelled(_conversation(row), row)


UNPAIRED = Format("TRL unpaired", ("prompt", "completion", "label"), ("labels",), _unpaired)
THUMBS = Format(
    "messages with a label",
    ("messages|conversations", "label"),
    ("labels",),
    _thumbed_conversation,
    note=LAST_TURN,
)
CONVERSATION = Format("messages", ("messages",), ("demonstrations",), _conversation, note=LAST_TURN)
SHAREGPT = Format(
    "ShareGPT", ("conversations",), ("demonstrations",), _conversation, note=LAST_TURN
)
COMPLETION = Format(
    "prompt and completion", ("prompt", "completion"), ("demonstrations",), _completion
)
TASK = Format("Alpaca", ("instruction", "output"), ("demonstrations",), _task)
