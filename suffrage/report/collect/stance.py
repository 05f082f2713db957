"""Stance share of every model, every stance, with intervals clustered by prompt."""

from __future__ import annotations

from suffrage.core.results import Estimate, ModelStance, StanceResult
from suffrage.report.collect.stances import (
    SYMBOLS,
    leading,
    model_word,
    share,
    spoken,
    stance_dots,
    stance_names,
    stance_word,
)
from suffrage.report.figures.intervals import Dot, Scale, compact_picture
from suffrage.report.inputs import Inputs
from suffrage.report.notes import note_of
from suffrage.report.text import estimate
from suffrage.report.words import Words


def collect(inputs: Inputs, words: Words) -> dict[str, object] | None:
    """One table a question, and a picture for each stance the headline does not show."""
    results = [result for result in inputs.of(StanceResult) if result.models]
    if not results:
        return None
    return {"results": [_block(result, place, words) for place, result in enumerate(results)]}


def _block(result: StanceResult, place: int, words: Words) -> dict[str, object]:
    stances = stance_names(result)
    notes = _notes(result, stances, words)
    shown_above = leading(result) if place == 0 else None
    return {
        "question": result.question,
        "stances": [(name, SYMBOLS.get(name, "○"), stance_word(words, name)) for name in stances],
        "rows": [_row(model, stances, notes, words) for model in result.models],
        "notes": list(notes),
        "well_formed": any(model.well_formed for model in result.models),
        "figures": [
            _figure(result, name, f"stance{place}-{number}", words)
            for number, name in enumerate(stances)
            if name != shown_above
        ],
    }


def _notes(result: StanceResult, stances: list[str], words: Words) -> dict[str, int]:
    """Every note on the table's figures, in order of appearance, with its number from 1."""
    shown = [figure for model in result.models for figure in _figures(model, stances)]
    found = dict.fromkeys(note_of(figure, words) for figure in shown)
    return {note: number for number, note in enumerate(filter(None, found), start=1)}


def _figures(model: ModelStance, stances: list[str]) -> list[Estimate]:
    """What stands in the model's row of the table: its shares, then how many are well formed."""
    shares = [share(model, name) for name in stances]
    return [*shares, model.well_formed] if model.well_formed else shares


def _row(
    model: ModelStance, stances: list[str], notes: dict[str, int], words: Words
) -> dict[str, object]:
    cells = [
        {"text": estimate(figure), "mark": notes.get(note_of(figure, words), "")}
        for figure in _figures(model, stances)
    ]
    return {
        "model": model_word(words, model.model),
        "shares": cells[: len(stances)],
        "well_formed": cells[len(stances) :],
        "prompts": model.prompts,
        "samples": model.samples,
    }


def _figure(result: StanceResult, stance: str, name: str, words: Words) -> dict[str, object]:
    dots = stance_dots(result, stance, words)
    word = stance_word(words, stance)
    title = words("stance.axis", stance=word)
    scale = Scale(title, dots[0].estimate.value)
    return {
        "title": word,
        "figure": compact_picture(name, dots, scale, spoken(dots, title, words)),
        "notes": _notes_of_figure(dots, words),
    }


def _notes_of_figure(dots: list[Dot], words: Words) -> list[str]:
    """Each note on the picture's intervals, after the models it speaks of."""
    found: dict[str, list[str]] = {}
    for dot in dots:
        if note := note_of(dot.estimate, words):
            found.setdefault(note, []).append(dot.label)
    colon = words("list.colon")
    return [f"{words('list.comma').join(models)}{colon}{note}" for note, models in found.items()]
