"""Every offline method on the same votes: the embedded world's, so that the truth is known.

    python benchmarks/methods.py --demo build/demo --lang zh --seeds 0 1 2

Needs the demos of `benchmarks/demo.py`. Each method starts from a demo's SFT model and learns from
its preferences with default settings. Printed are, as medians and ranges over the seeds, on the 10
held-out questions with 20 answers each: the share of supporting answers (which most raters favour),
of well-formed ones, how often an answer is truly better than the SFT model's to the same question
(ties half), how far the model moved (KL to the SFT model, nats an answer, from its own samples),
and the seconds of training.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from suffrage.core.files import write_json
from suffrage.core.records import Group
from suffrage.data.read import read_prompts
from suffrage.demo.measure import measure_stance
from suffrage.demo.setting import TEMPERATURE, Demo, answers
from suffrage.models.language_model import load
from suffrage.objectives.table import OBJECTIVES, Objective
from suffrage.train.examples import Example
from suffrage.train.reference import reference_sums
from suffrage.train.run import train_offline
from suffrage.train.settings import make_settings

METHODS = [
    row.name for row in OBJECTIVES.values() if row.learns == "language" and row.view != "prompts"
]


def measure(demo: Demo, row: Objective, epochs: float) -> dict[str, float]:
    """Train one method on the demo's votes, and compare with the SFT model."""
    out = demo.out / "methods" / row.name
    file = out.with_suffix(".json")
    if file.exists():
        found: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
        return found
    settings = make_settings(
        method=row.name,
        model=str(demo.path("sft")),
        data=str(demo.path("preferences.jsonl")),
        seed=demo.seed,
        epochs=epochs,
        batch_size=16,
    )
    started = time.perf_counter()
    train_offline(settings, out)
    seconds = time.perf_counter() - started
    prompts, _ = read_prompts(demo.path("test_prompt.json"))
    ask = (demo, prompts, demo.sizes.samples, demo.seed, TEMPERATURE)
    before, after = (answers(ask[0], model, *ask[1:]) for model in ("sft", str(out)))
    stance = measure_stance(demo.world, {row.name: after}, demo.seed).models[0]
    found = {
        "support": stance.shares["support"].value or 0.0,
        "well_formed": (stance.well_formed.value if stance.well_formed else None) or 0.0,
        "better": better(demo, before, after),
        "kl": moved(demo, out, after),
        "seconds": seconds,
    }
    write_json(file, found)
    return found


def better(demo: Demo, before: list[Group], after: list[Group]) -> float:
    """How often an answer is truly better than the one of the same number before, ties half."""
    points = []
    for old, new in zip(before, after, strict=True):
        for one, two in zip(old.completions, new.completions, strict=True):
            was, now = (demo.world.utility(old.prompt.text, c.text) for c in (one, two))
            points.append(0.5 + 0.5 * ((now > was) - (now < was)))
    return statistics.mean(points)


def moved(demo: Demo, run: Path, sampled: list[Group]) -> float:
    """KL to the SFT model in nats an answer: the mean of log p - log p_ref over p's own answers."""
    policy, reference = load(run), load(demo.path("sft"))
    encoder = policy.encoder("cut")
    trees = [tree for group in sampled if (tree := encoder.tree(group)) is not None]
    examples = [Example(str(i), tree) for i, tree in enumerate(trees)]
    now, then = (reference_sums(model, examples, 16384) for model in (policy, reference))
    return float(torch.mean(now - then))


def cell(values: list[float], form: str) -> str:
    low, middle, high = (format(f(values), form) for f in (min, statistics.median, max))
    return f"{middle} ({low} to {high})" if len(values) > 1 else middle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=Path("build/demo"))
    parser.add_argument("--lang", choices=("zh", "en"), default="zh")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    args = parser.parse_args()
    forms = {"support": ".0%", "well_formed": ".0%", "better": ".0%", "kl": ".1f", "seconds": ".0f"}
    print("| method | support | well formed | better than SFT | KL, nats | seconds |")
    print("|---|---|---|---|---|---|")
    for name in args.methods:
        demos = [Demo(args.demo / f"{args.lang}-{seed}", args.lang, seed) for seed in args.seeds]
        found: list[dict[str, Any]] = [measure(d, OBJECTIVES[name], args.epochs) for d in demos]
        cells = [cell([one[key] for one in found], form) for key, form in forms.items()]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
