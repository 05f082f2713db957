"""The reward model: how often it orders answers right, and whether it knows when it does."""

from __future__ import annotations

from suffrage.core.results import CalibrationBin, RewardResult
from suffrage.report.figures.calibration import calibration_picture
from suffrage.report.inputs import Inputs
from suffrage.report.text import estimate, percent, short_name
from suffrage.report.words import Words


def collect(inputs: Inputs, words: Words) -> dict[str, object] | None:
    """A row a result and a calibration plot for each that has bins."""
    results = inputs.of(RewardResult)
    if not results:
        return None
    rows = [
        {
            "model": short_name(result.model),
            "against": words.said(result.against),
            "accuracy": estimate(result.accuracy),
            "n": result.accuracy.n,
            "unit": words.known(f"unit.{result.accuracy.unit}", result.accuracy.unit),
        }
        for result in results
    ]
    drawn = enumerate(results)
    plots = [_plot(result, place, words) for place, result in drawn if _known(result)]
    return {"rows": rows, "plots": plots}


def _known(result: RewardResult) -> list[CalibrationBin]:
    return [item for item in result.calibration if item.observed.value is not None]


def _plot(result: RewardResult, place: int, words: Words) -> dict[str, object]:
    titles = (words("reward.predicted"), words("reward.observed"))
    points = words("list.semicolon").join(
        f"{percent(item.predicted)} → {estimate(item.observed)}" for item in _known(result)
    )
    label = f"{titles[0]} → {titles[1]}{words('list.colon')}{points}"
    against = words.said(result.calibrated_against or result.against)
    model, error = short_name(result.model), percent(calibration_error(_known(result)))
    return {
        "title": words("reward.measured", model=model, against=against),
        "figure": calibration_picture(f"calibration{place}", result.calibration, titles, label),
        "reading": words("reward.reading", against=against, error=error),
        "noisy": words("reward.noisy") if result.calibrated_against else "",
    }


def calibration_error(bins: list[CalibrationBin]) -> float:
    """Mean |observed - predicted|, each bin weighted by its pairs (Naeini et al. 2015, ECE)."""
    total = sum(item.observed.n for item in bins)
    weights = [item.observed.n / total if total else 1 / len(bins) for item in bins]
    gaps = [abs((item.observed.value or 0.0) - item.predicted) for item in bins]
    return sum(weight * gap for weight, gap in zip(weights, gaps, strict=True))
