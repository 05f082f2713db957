"""Alpaca's way to write a prompt: an instruction and, perhaps, its input."""

from __future__ import annotations

from suffrage.core.records import Message
from suffrage.data.readers.row import Content, Row, RowError, items, system_turn, text


def task_prompt(row: Row) -> Content:
    """Instruction and input on their own lines; with a system text or a history, as messages."""
    parts = [row.get("instruction", row.get("question")), row.get("input")]
    asked = "\n".join(text(part, "instruction") for part in parts if part)
    before = system_turn(row) + _history(row)
    return (*before, Message(role="user", content=asked)) if before else asked


def _history(row: Row) -> tuple[Message, ...]:
    """Earlier rounds: a list of [question, answer]."""
    said: list[Message] = []
    for past in items(row.get("history") or [], "history"):
        if not isinstance(past, list) or len(past) != 2:
            raise RowError("history holds something other than [question, answer]")
        question, answer = (text(part, "history") for part in past)
        said += [Message(role="user", content=question), Message(role="assistant", content=answer)]
    return tuple(said)
