"""Completions side by side: the same prompt, one card a model."""

from __future__ import annotations

from suffrage.core.results import Answer, Comparison
from suffrage.report.collect.stances import SYMBOLS, model_word, stance_word
from suffrage.report.inputs import Inputs, comparisons
from suffrage.report.text import LONGEST, shorten
from suffrage.report.words import Words

ROWS = 40  # prompts on the page; more would hide what matters


def collect(inputs: Inputs, words: Words) -> dict[str, object] | None:
    """A row a prompt, a card an answer."""
    rows = comparisons(inputs)
    if not rows:
        return None
    return {
        "rows": [_row(row, words) for row in rows[:ROWS]],
        "more": max(len(rows) - ROWS, 0),
    }


def _row(row: Comparison, words: Words) -> dict[str, object]:
    return {
        "prompt": shorten(row.prompt),
        "cards": [_card(answer, words) for answer in row.answers],
    }


def _card(answer: Answer, words: Words) -> dict[str, object]:
    return {
        "model": model_word(words, answer.model),
        "text": shorten(answer.text),
        "stance": answer.stance if answer.stance in SYMBOLS else "other",
        "symbol": SYMBOLS.get(answer.stance, "○"),
        "word": stance_word(words, answer.stance) if answer.stance else "",
        "cut": f"{len(answer.text):,}" if len(answer.text) > LONGEST else "",
    }
