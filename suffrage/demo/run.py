"""Run the stages that are still to do; what is there already is not made again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import suffrage
from suffrage.core.errors import RunError
from suffrage.core.files import append_jsonl, read_json, write_json
from suffrage.core.results import (
    ComparisonResult,
    RatersResult,
    RewardResult,
    StanceResult,
    read_result,
)
from suffrage.demo.setting import FULL, Demo, Lang, Sizes
from suffrage.demo.stages import STAGES
from suffrage.demo.words import LANGUAGES, stage_words


def run_demo(out: Path, lang: Lang, seed: int, sizes: Sizes = FULL) -> Iterator[dict[str, Any]]:
    """Run every stage that is still to do; yields a row a stage as it ends.

    Raises `RunError` when the folder holds something else: nothing is overwritten.
    """
    version = {"suffrage": suffrage.__version__, "lang": lang, "seed": seed}
    _claim(out, {**version, **asdict(sizes)})
    demo = Demo(out, lang, seed, sizes)
    before = {row["name"]: row for row in demo.ledger()}
    for stage in STAGES:
        if stage.name in before and demo.path(stage.output).exists():
            yield {**before[stage.name], "reused": True}
            continue
        started = time.monotonic()
        values = stage.build(demo)
        seconds = round(time.monotonic() - started, 2)
        said = {lang: stage_words(stage.name, values, lang) for lang in LANGUAGES}
        row = {**said["en"], "seconds": seconds, "zh": said["zh"]}
        append_jsonl(out / "stages.jsonl", row)
        yield {**row, "reused": False}


def _claim(out: Path, settings: dict[str, Any]) -> None:
    file = out / "demo.json"
    if not file.exists():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise RunError(f"{out} exists and holds no demo; choose another --out.")
        write_json(file, settings)
    found = read_json(file)
    if found != settings:
        raise RunError(f"{out} holds another demo ({found}, not {settings}); choose another --out.")


def before_and_after(out: Path, count: int = 3) -> ComparisonResult:
    """The first few held-out questions with every model's answer."""
    result = read_result(out / "comparison.json")
    assert isinstance(result, ComparisonResult)
    return ComparisonResult(rows=result.rows[:count])


def figures(out: Path) -> dict[str, Any]:
    """Everything the demo measured, for programs."""
    stance, raters, reward = (
        read_result(out / f"{name}.json") for name in ("stance", "raters", "reward")
    )
    assert isinstance(stance, StanceResult)
    assert isinstance(raters, RatersResult)
    assert isinstance(reward, RewardResult)
    return {
        "support": {m.model: m.shares["support"].to_json() for m in stance.models},
        "well_formed": {m.model: m.well_formed.to_json() for m in stance.models if m.well_formed},
        "alpha": raters.alpha.to_json(),
        "odd": {row.rater: row.odd for row in raters.raters if row.odd},
        "reward_accuracy": reward.accuracy.to_json(),
        "report": str(out / "report.html"),
    }
