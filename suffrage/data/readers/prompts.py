"""Readers of files that only ask: nothing to learn from, something to answer."""

from __future__ import annotations

from suffrage.data.readers.row import Format, Parts, Row, RowError, items, prompt_of, text
from suffrage.data.readers.tasks import task_prompt


def _prompt(row: Row) -> Parts:
    return Parts(prompt_of(row["prompt"]))


def _first_turn(row: Row) -> Parts:
    asked = items(row["turns"], "turns")
    if not asked:
        raise RowError("turns is empty")
    return Parts(text(asked[0], "turns"))


def _task(row: Row) -> Parts:
    return Parts(task_prompt(row))


PROMPTS = Format("prompts", ("prompt",), (), _prompt)
MT_BENCH = Format("MT-Bench questions", ("turns",), (), _first_turn, note="the first turn is asked")
TASK = Format("instructions", ("instruction",), (), _task)
