"""Stance share of every model, every stance, with intervals clustered by prompt."""

from __future__ import annotations

from suffrage.core.results import StanceResult
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
from suffrage.report.figures.intervals import Scale, compact_picture
from suffrage.report.inputs import Inputs
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
    shown_above = leading(result) if place == 0 else None
    return {
        "question": result.question,
        "stances": [(name, SYMBOLS.get(name, "○"), stance_word(words, name)) for name in stances],
        "rows": [
            {
                "model": model_word(words, model.model),
                "shares": [estimate(share(model, name)) for name in stances],
                "well_formed": estimate(model.well_formed) if model.well_formed else "",
                "prompts": model.prompts,
                "samples": model.samples,
            }
            for model in result.models
        ],
        "well_formed": any(model.well_formed for model in result.models),
        "figures": [
            _figure(result, name, f"stance{place}-{number}", words)
            for number, name in enumerate(stances)
            if name != shown_above
        ],
    }


def _figure(result: StanceResult, stance: str, name: str, words: Words) -> dict[str, object]:
    dots = stance_dots(result, stance, words)
    word = stance_word(words, stance)
    title = words("stance.axis", stance=word)
    scale = Scale(title, dots[0].estimate.value)
    return {"title": word, "figure": compact_picture(name, dots, scale, spoken(dots, title))}
