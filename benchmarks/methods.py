"""Every method on the same votes: the embedded world's, so that the truth is known.

    python benchmarks/methods.py --demo build/demo --lang zh --seeds 0 1 2

Needs the demos of `benchmarks/demo.py`. Each offline method starts from a demo's SFT model and
learns from its preferences with default settings; each that samples, from the demo's reward model
on its prompts, in as many steps as the demo's own PPO. Printed are, over all
seeds on the 10 held-out questions with 20 answers each: the share of supporting answers (which most
raters favour), of well-formed ones, how often an answer is truly better than the SFT model's to the
same question (ties half), how far the model moved (KL to the SFT model, nats an answer, from its
own samples), and the median seconds of training. Intervals are of 95 %, clustered by question: they
are of other questions, not of other seeds, whose lowest and highest share of support come after.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import torch

from suffrage.core.files import read_jsonl, write_json
from suffrage.core.records import Group
from suffrage.core.results import Estimate
from suffrage.data.read import read_prompts
from suffrage.demo.setting import NEW_TOKENS, TEMPERATURE, Demo, answers
from suffrage.models.language_model import load
from suffrage.objectives.table import OBJECTIVES
from suffrage.stats.intervals import clustered_mean
from suffrage.train.examples import Example
from suffrage.train.reference import reference_sums
from suffrage.train.rl.run import train_online
from suffrage.train.run import train_offline
from suffrage.train.settings import make_settings

OFFLINE = [
    row.name for row in OBJECTIVES.values() if row.learns == "language" and row.view != "prompts"
]
ONLINE = [row.name for row in OBJECTIVES.values() if row.view == "prompts"]
METHODS = ["none", *OFFLINE, *ONLINE]
AS_PPO: dict[str, Any] = {"batch_size": 64, "epochs": 1.5}  # as the demo trains PPO
FORMS = {"support": ".0%", "well_formed": ".0%", "better": ".0%", "kl": ".1f"}
Found = dict[str, Any]  # each figure's mean a question; the seconds of training


def measure(demo: Demo, name: str, epochs: float) -> Found:
    """Train one method on the demo's votes, and compare with the SFT model."""
    file = demo.out / "methods" / f"{name}.json"
    if file.exists():
        found: Found = json.loads(file.read_text(encoding="utf-8"))
        return found
    run = trained(demo, name, epochs)
    prompts, _ = read_prompts(demo.path("test_prompt.json"))
    before, after = (
        answers(demo, str(model), prompts, demo.sizes.samples, demo.seed, TEMPERATURE)
        for model in ("sft", run)
    )
    found = {
        "support": [mean(g, lambda g, t: demo.world.stance(t) == "support") for g in after],
        "well_formed": [
            mean(g, lambda g, t: demo.world.parse(g.prompt.text, t) is not None) for g in after
        ],
        "better": [better(demo, *pair) for pair in zip(before, after, strict=True)],
        "kl": moved(demo, run, after),
        "seconds": sum(row["seconds"] for row in read_jsonl(run / "timing.jsonl")),
    }
    write_json(file, found)
    return found


def trained(demo: Demo, name: str, epochs: float) -> Path:
    """Where the method's model lies, trained if it was not."""
    if name in ("none", "ppo"):
        return demo.path("sft" if name == "none" else "ppo")
    out, shared = demo.out / "methods" / name, {"model": str(demo.path("sft")), "seed": demo.seed}
    if name in ONLINE:
        settings = make_settings(
            method=name,
            data=str(demo.path("prompts.jsonl")),
            options={"max_new_tokens": NEW_TOKENS},
            **AS_PPO,
            **shared,
        )
        return train_online(settings, str(demo.path("reward")), out).path
    data = str(demo.path("preferences.jsonl"))
    settings = make_settings(method=name, data=data, epochs=epochs, batch_size=16, **shared)
    return train_offline(settings, out).path


def mean(group: Group, holds: Any) -> float:
    return statistics.mean(float(holds(group, c.text)) for c in group.completions)


def better(demo: Demo, old: Group, new: Group) -> float:
    """How often an answer is truly better than the one of the same number before, ties half."""
    points = []
    for one, two in zip(old.completions, new.completions, strict=True):
        was, now = (demo.world.utility(old.prompt.text, c.text) for c in (one, two))
        points.append(0.5 + 0.5 * ((now > was) - (now < was)))
    return statistics.mean(points)


def moved(demo: Demo, run: Path, sampled: list[Group]) -> list[float]:
    """KL to the SFT model in nats an answer: the mean of log p - log p_ref over p's own answers."""
    policy, reference = load(run), load(demo.path("sft"))
    encoder = policy.encoder("cut")
    trees = [tree for group in sampled if (tree := encoder.tree(group)) is not None]
    examples = [Example(str(i), tree) for i, tree in enumerate(trees)]
    now, then = (reference_sums(model, examples, 16384) for model in (policy, reference))
    return [float(torch.mean(part)) for part in (now - then).split(demo.sizes.samples)]


def table_row(name: str, found: list[Found]) -> str:
    cells = [interval([one[key] for one in found], form) for key, form in FORMS.items()]
    if name == "none":  # compared with itself
        cells[2:] = ["", ""]
    shares = sorted(statistics.mean(one["support"]) for one in found)
    cells[0] += f"; {shares[0]:.0%} to {shares[-1]:.0%}"
    seconds = statistics.median(one["seconds"] for one in found)
    return f"| {name} | " + " | ".join([*cells, f"{seconds:.0f}"]) + " |"


def interval(values: list[list[float]], form: str) -> str:
    """The mean over seeds and questions, with an interval over questions."""
    flat = [value for row in values for value in row]
    questions = [number for row in values for number in range(len(row))]
    made: Estimate = clustered_mean(flat, questions)
    if made.low is None or made.high is None or made.value is None:
        return format(made.value or 0.0, form)
    return f"{made.value:{form}} [{made.low:{form}}, {made.high:{form}}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=Path("build/demo"))
    parser.add_argument("--lang", choices=("zh", "en"), default="zh")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    args = parser.parse_args()
    print("| method | support; by seed | well formed | better than SFT | KL, nats | seconds |")
    print("|---|---|---|---|---|---|")
    for name in args.methods:
        demos = [Demo(args.demo / f"{args.lang}-{seed}", args.lang, seed) for seed in args.seeds]
        print(table_row(name, [measure(d, name, args.epochs) for d in demos]), flush=True)


if __name__ == "__main__":
    main()
