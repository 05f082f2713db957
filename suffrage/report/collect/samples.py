"""Answers to the same held-out prompts as training went on."""

from __future__ import annotations

from suffrage.core.records import Meta
from suffrage.report.inputs import Inputs
from suffrage.report.runs import Run
from suffrage.report.text import compact, finite
from suffrage.report.words import Words

MOST = 6  # moments shown of a run: the first, the last, and some evenly between


def collect(inputs: Inputs, words: Words) -> dict[str, object] | None:
    """For each run that kept such answers, a list of prompts with their answers by step."""
    runs = [{"name": run.name, "prompts": prompts} for run in inputs.runs if (prompts := _of(run))]
    return {"runs": runs} if runs else None


def _of(run: Run) -> list[dict[str, object]]:
    """Each prompt's answers; rows without a step, a prompt or an answer are passed over."""
    rows = [row for row in run.samples if _is_whole(row)]
    steps = moments(sorted({int(row["step"]) for row in rows}))
    prompts = dict.fromkeys(str(row["prompt"]) for row in rows)
    return [
        {
            "prompt": prompt,
            "answers": [_answer(r) for r in rows if r["prompt"] == prompt and r["step"] in steps],
        }
        for prompt in prompts
    ]


def _is_whole(row: Meta) -> bool:
    texts = isinstance(row.get("prompt"), str) and isinstance(row.get("completion"), str)
    return texts and finite(row.get("step")) is not None


def _answer(row: Meta) -> dict[str, object]:
    rewards = row.get("rewards")
    said = rewards.items() if isinstance(rewards, dict) else ()
    known = [(str(name), number) for name, value in said if (number := finite(value)) is not None]
    return {
        "step": f"{row['step']:g}",
        "text": row["completion"],
        "rewards": [(name, compact(number)) for name, number in known],
    }


def moments(steps: list[int]) -> set[int]:
    """At most `MOST` of the steps, the first and the last always."""
    last = len(steps) - 1
    kept = min(len(steps), MOST)
    return {steps[round(place * last / max(kept - 1, 1))] for place in range(kept)}
