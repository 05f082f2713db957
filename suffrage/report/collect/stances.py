"""What the headline, the stance section and the chips share about stances."""

from __future__ import annotations

from suffrage.core.results import Estimate, ModelStance, StanceResult
from suffrage.report.figures.intervals import Dot
from suffrage.report.text import estimate, short_name
from suffrage.report.words import Words

LEADING = "support"  # the stance a report leads with, where it is measured
_ORDER = ("support", "balanced", "oppose")
SYMBOLS = {"support": "▲", "oppose": "▼", "balanced": "◆"}  # so that colour is never alone


def stance_names(result: StanceResult) -> list[str]:
    """Every stance of any model: the known ones first, then the rest by name."""
    found = {name for model in result.models for name in model.shares}
    return [name for name in _ORDER if name in found] + sorted(found - set(_ORDER))


def leading(result: StanceResult) -> str | None:
    """`support` where measured, else the stance that moved most from the first model's share."""
    names = stance_names(result)
    if LEADING in names or not names:
        return LEADING if names else None
    return max(
        names, key=lambda name: max(abs(_moved(result, model, name)) for model in result.models)
    )


def _moved(result: StanceResult, model: ModelStance, stance: str) -> float:
    before, after = share(result.models[0], stance), share(model, stance)
    return (after.value or 0.0) - (before.value or 0.0)


def share(model: ModelStance, stance: str) -> Estimate:
    """The model's share of a stance; undefined where it was not measured."""
    return model.shares.get(stance, Estimate(value=None))


def stance_word(words: Words, stance: str) -> str:
    """The stance in the page's language, or as it was written."""
    return words.known(f"stance.{stance}", stance)


def model_word(words: Words, model: str) -> str:
    """The assignment's two models by their names in the page's language; others as they are."""
    return words.known(f"model.{model}", short_name(model))


def stance_dots(result: StanceResult, stance: str, words: Words) -> list[Dot]:
    """A row a model; the first is what the others are compared with."""
    return [
        Dot(model_word(words, model.model), share(model, stance), "accent" if place else "muted")
        for place, model in enumerate(result.models)
    ]


def spoken(dots: list[Dot], title: str, words: Words) -> str:
    """The picture in words, for those who cannot see it."""
    shares = words("list.semicolon").join(f"{dot.label} {estimate(dot.estimate)}" for dot in dots)
    return f"{title}{words('list.colon')}{shares}"
