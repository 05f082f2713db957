"""The raters: how far they agree, how reliable each is, and who is odd and why."""

from __future__ import annotations

from suffrage.core.results import Estimate, RatersResult, RaterSummary
from suffrage.report.collect.stances import spoken
from suffrage.report.figures.intervals import Dot, Scale, both_widths
from suffrage.report.inputs import Inputs
from suffrage.report.notes import note_of
from suffrage.report.text import estimate, short_name
from suffrage.report.words import Words

_SPARE = 40  # raters a picture and a table hold; more are counted


def collect(inputs: Inputs, words: Words) -> dict[str, object] | None:
    """One block a raters result."""
    results = inputs.of(RatersResult)
    if not results:
        return None
    return {"results": [_block(result, place, words) for place, result in enumerate(results)]}


def _block(result: RatersResult, place: int, words: Words) -> dict[str, object]:
    ordered = sorted(result.raters, key=_oddest_last)
    shown = ordered[:_SPARE] if len(ordered) > _SPARE else ordered
    odd = [rater for rater in ordered if rater.odd]
    return {
        "alpha": estimate(result.alpha, share=False),
        "level": words(f"raters.level.{result.alpha_level}"),
        "reading": words(f"raters.reading.{reading(result.alpha)}"),
        "note": note_of(result.alpha, words),
        "agreement": estimate(result.pair_agreement),
        "coefficients": [
            {
                "name": words.known(f"raters.coefficients.{name}", name),
                "value": estimate(figure, share=name == "percent"),
                "note": note_of(figure, words),
            }
            for name, figure in result.coefficients.items()
        ],
        "result": result,
        "raters": [_row(rater, words) for rater in [*shown, *(r for r in odd if r not in shown)]],
        "more": len(ordered) - len(shown),
        "odd": [_row(rater, words) for rater in odd],
        "figure": _figure(shown, place, words) if shown else None,
    }


def reading(alpha: Estimate) -> str:
    """Which plain words fit: the customary bounds .667 and .8 (Krippendorff 2004, p. 241)."""
    if alpha.value is None:
        return "undefined"
    if alpha.value <= 0:
        return "none"
    return "low" if alpha.value < 0.667 else "fair" if alpha.value < 0.8 else "good"


def _oddest_last(rater: RaterSummary) -> tuple[float, str]:
    value = rater.reliability.value
    return (-value if value is not None else 2.0, rater.rater)


def _row(rater: RaterSummary, words: Words) -> dict[str, object]:
    return {
        "name": rater.rater,
        "judgments": rater.judgments,
        "reliability": estimate(rater.reliability),
        "first_shown": estimate(rater.first_shown),
        "odd": rater.odd,
        "verdict": words(f"raters.odd.{rater.odd or 'not'}"),
        "evidence": _evidence(rater, words),
    }


def _evidence(rater: RaterSummary, words: Words) -> str:
    """What the measurement said, in English; in another language the same from its figures."""
    if rater.evidence and words.lang == "en":
        return rater.evidence
    figures = {"reliability": estimate(rater.reliability), "first": estimate(rater.first_shown)}
    return words(f"raters.because.{rater.odd or 'not'}", **figures)


def _figure(raters: list[RaterSummary], place: int, words: Words) -> dict[str, object]:
    dots = [
        Dot(short_name(rater.rater, 30), rater.reliability, "warn" if rater.odd else "accent")
        for rater in raters
    ]
    title = words("raters.axis")
    scale = Scale(title, reference=0.5)
    return dict(both_widths(f"raters{place}", dots, scale, spoken(dots, title, words)))
