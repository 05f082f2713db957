"""Every method that learns from data on disk learns, on a real model and text of people.

The methods are those of the table, so a new row is tested here without a word. All of it goes the
way of a user: from a file to a run directory, with the default options and learning rates. Skipped
where the material is absent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from material import by_people, by_rule

from suffrage.core.records import Group
from suffrage.core.runs import RunDirectory
from suffrage.data.read import write_groups
from suffrage.objectives.table import OBJECTIVES
from suffrage.train.run import train_offline
from suffrage.train.settings import make_settings

ROWS = [row for row in OBJECTIVES.values() if row.view != "prompts"]
EACH = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)

# The smallest loss a method can have, where that is not 0. NCA's is at sigmoid(R_first) = 2/3; the
# robust loss has none, and passes 0 on its way.
LEAST = {"nca": -math.log(2 / 3) - math.log(1 / 3) / 2}


def trained(groups: Sequence[Group], folder: Path, **settings: Any) -> list[dict[str, float]]:
    """The rows of metrics of a run on these groups."""
    write_groups(folder / "data.jsonl", groups)
    fixed = {"data": str(folder / "data.jsonl"), "device": "cpu", "overlong": "cut"}
    train_offline(make_settings(**fixed, **settings), folder / "run")
    return RunDirectory(folder / "run").metrics


@EACH
def test_four_rows_of_real_data_are_learned_by_heart(row, real_path, tmp_path):
    rows = trained(
        by_people(row, real_path),
        tmp_path,
        method=row.name,
        model=str(real_path("models/stories260K")),
        epochs=20,
        batch_size=4,
        schedule="constant",
        warmup=0,
        max_length=64,
    )
    least = LEAST.get(row.name, 0.0)
    assert rows[-1]["loss"] - least < 0.4 * (rows[0]["loss"] - least)
    assert rows[-1].get("accuracy", 1.0) == 1.0


@EACH
def test_what_was_learned_holds_on_prompts_held_out(row, real_path, tmp_path):
    rows = trained(
        by_rule(row, real_path),
        tmp_path,
        method=row.name,
        model=str(real_path("models/stories260K")),
        holdout=0.25,
        epochs=3,
        max_length=80,
    )
    first, last, least = rows[0], rows[-1], LEAST.get(row.name, 0.0)
    assert last["eval/loss"] - least < 0.9 * (first["eval/loss"] - least)
    if "eval/accuracy" in first:
        assert last["eval/accuracy"] > first["eval/accuracy"]
        # without a reference the first figure is far below one half: the model prefers stories
        if row.reference:
            assert last["eval/accuracy"] >= 0.9
