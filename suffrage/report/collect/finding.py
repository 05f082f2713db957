"""The headline: what changed, in one sentence and one picture, and the figures beside it."""

from __future__ import annotations

from suffrage.core.results import Estimate, ModelStance, RatersResult, RewardResult, StanceResult
from suffrage.report.collect.stances import (
    leading,
    model_word,
    share,
    spoken,
    stance_dots,
    stance_word,
)
from suffrage.report.figures.intervals import Scale, both_widths
from suffrage.report.inputs import Inputs
from suffrage.report.text import interval, point
from suffrage.report.words import Words

_NAMED = 3  # models the sentence names beside the first


def collect(inputs: Inputs, words: Words) -> dict[str, object] | None:
    """The first stance result as headline and picture; a tile for each other kind of measure."""
    results = [result for result in inputs.of(StanceResult) if result.models and leading(result)]
    tiles = _tiles(inputs, words)
    if not results and not tiles:
        return None
    return {"tiles": tiles, "stance": _headline(results[0], words) if results else None}


def _headline(result: StanceResult, words: Words) -> dict[str, object]:
    stance = leading(result) or ""
    dots = stance_dots(result, stance, words)
    title = words("finding.axis", stance=stance_word(words, stance))
    scale = Scale(title, dots[0].estimate.value)
    return {
        "sentence": _sentence(result, stance, words),
        "doubt": _doubt(result, stance, words),
        "question": result.question,
        "figure": both_widths("finding", dots, scale, spoken(dots, title, words)),
        "caption": words(
            "finding.caption",
            prompts=result.models[0].prompts,
            samples=result.models[0].samples,
            stance=stance_word(words, stance),
        ),
    }


def _sentence(result: StanceResult, stance: str, words: Words) -> str:
    first, *others = result.models
    named = [_after(model, stance, words) for model in _farthest(first, others, stance)]
    start = {"stance": stance_word(words, stance), "model": model_word(words, first.model)}
    before = point(share(first, stance))
    if not named:
        return words("finding.single", before=before, **start)
    return words("finding.change", before=before, after=words.join(named), **start)


def _after(model: ModelStance, stance: str, words: Words) -> str:
    name = model_word(words, model.model)
    return words("finding.after", share=point(share(model, stance)), model=name)


def _farthest(first: ModelStance, others: list[ModelStance], stance: str) -> list[ModelStance]:
    """All models while few; of many, the one that moved most (the picture has them all)."""
    if len(others) <= _NAMED:
        return others
    start = share(first, stance).value or 0.0
    return [max(others, key=lambda model: abs((share(model, stance).value or 0.0) - start))]


def _doubt(result: StanceResult, stance: str, words: Words) -> str:
    """The intervals, and whether any of the named models' overlaps the first one's."""
    first, *others = result.models
    before = share(first, stance)
    named = _farthest(first, others, stance)
    if not named or not all(interval(share(model, stance)) for model in (first, *named)):
        return ""
    clear = [model for model in named if not _overlap(before, share(model, stance))]
    if len(clear) == len(named):
        return words("finding.clear")
    vague = [model_word(words, model.model) for model in named if model not in clear]
    return words("finding.overlap", models=words.join(vague))


def _overlap(one: Estimate, other: Estimate) -> bool:
    ends = (one.low, one.high, other.low, other.high)
    if None in ends:
        return True
    low, high, other_low, other_high = (float(end or 0.0) for end in ends)
    return low <= other_high and other_low <= high


def _tiles(inputs: Inputs, words: Words) -> list[dict[str, str]]:
    """One figure each: how much was judged, agreement, reward accuracy."""
    tiles: list[dict[str, str]] = []
    for result in inputs.of(RatersResult)[:1]:
        note = words("finding.by_raters", raters=len(result.raters), prompts=result.prompts)
        tiles.append(_tile(words, "judgments", f"{result.judgments:,}", note))
        around = interval(result.alpha, share=False)
        tiles.append(_tile(words, "alpha", point(result.alpha, share=False), around))
    for reward in inputs.of(RewardResult)[:1]:
        against = words("finding.against", against=words.said(reward.against))
        note = " · ".join(filter(None, [interval(reward.accuracy), against]))
        tiles.append(_tile(words, "reward", point(reward.accuracy), note))
    return tiles


def _tile(words: Words, name: str, value: str, note: str) -> dict[str, str]:
    return {"title": words(f"finding.tile.{name}"), "value": value, "note": note}
