"""A reward for each rater against one for all, on votes that were held out.

    python -m benchmarks.personal --demo FOLDER --seeds 0 1 2

The embedded world's divided population (seven who favour adaptations, four who are against) ranks
the answers of a finished demo; the votes on some of the prompts are held out. One reward model
learns from all votes alike, another has a head a rater (`--heads raters`). Printed is how often the
order of two answers is that of the rater's own held-out ranking, with its 95 % interval over
prompts, of the seeds together. `--demo` is the folder of `suffrage demo --lang en`; a finished
measurement in `--out` is read again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from suffrage.core.records import Group, Judgment
from suffrage.data.opinions import as_votes
from suffrage.data.read import read_groups, write_groups
from suffrage.label.simulate import simulate_rankings
from suffrage.models.scalar_head import load_reward
from suffrage.stats.intervals import clustered_mean, number
from suffrage.train.rl.reward import reward_model
from suffrage.train.run import train_offline
from suffrage.train.settings import make_settings
from suffrage.worlds.adaptation import load_world
from suffrage.worlds.adaptation.raters import divided, rater_utility

HELD_OUT = 96  # prompts
Row = tuple[str, str, float]  # rater, prompt, whether the order of two answers was theirs


def votes(demo: Path, per_prompt: int, seed: int, out: Path) -> tuple[Path, list[Group]]:
    """A file of judged groups to train on, and groups held out."""
    groups, _ = read_groups(str(demo / "completions.jsonl"))
    order = np.random.default_rng(seed).permutation(len(groups))
    groups = [groups[i] for i in order]
    utility = rater_utility(load_world("en"))
    made: dict[str, list[Judgment]] = {}
    for judgment in simulate_rankings(groups, divided(), utility, per_prompt, seed):
        made.setdefault(judgment.prompt_id, []).append(judgment)
    judged = [g.model_copy(update={"judgments": tuple(made[g.prompt.id])}) for g in groups]
    file = out / f"votes-{seed}-{per_prompt}.jsonl"
    write_groups(file, judged[HELD_OUT:])
    return file, judged[:HELD_OUT]


def right(run: str, held_out: list[Group], rater: str) -> list[Row]:
    """Of each held-out vote of a rater, whether a reward model orders its answers as they do."""
    score = reward_model(load_reward(run, torch.device("cpu")))
    own = [group for group in held_out if any(j.rater == rater for j in group.judgments)]
    texts = [[c.text for c in group.completions] for group in own]
    scores = iter(score([g.prompt for g in own], texts).tolist())
    rows = []
    for group in own:
        reward = [next(scores) for _ in group.completions]
        for name, pair in as_votes(group):
            if name == rater and pair.probability != 0.5:
                ahead = reward[pair.first] - reward[pair.second]
                rows.append((rater, group.prompt.id, 0.5 + 0.5 * float(np.sign(ahead))))
    return rows


def measure(
    demo: Path, per_prompt: int, seed: int, epochs: float, out: Path
) -> dict[str, list[Row]]:
    """The rows of the model for all and of the models of each."""
    file, held_out = votes(demo, per_prompt, seed, out)
    found: dict[str, list[Row]] = {}
    for heads in ("one", "raters"):
        run = out / f"{heads}-{seed}-{per_prompt}"
        settings = make_settings(
            method="reward", model=str(demo / "sft"), data=str(file), seed=seed, heads=heads,
            epochs=epochs, batch_size=16, device="cpu",
        )  # fmt: skip
        train_offline(settings, run)
        names = [rater.name for rater in divided()]
        heads_of = {name: f"{run}#{name}" if heads == "raters" else str(run) for name in names}
        found[heads] = [row for name in names for row in right(heads_of[name], held_out, name)]
    return found


def share(rows: list[Row]) -> str:
    clusters, _ = number([prompt for _, prompt, _ in rows])
    found = clustered_mean(np.array([value for _, _, value in rows]), clusters)
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def of_each(rows: list[Row]) -> dict[str, float]:
    return {r.name: fmean(v for name, _, v in rows if name == r.name) for r in divided()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--raters-a-prompt", nargs="+", type=int, default=[5, 1])
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--out", type=Path, default=Path("build/personal"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    camps = {rater.name: rater.camp for rater in divided()}
    print("| raters a prompt | model | all | supporters | opponents | worst rater |")
    print("|---|---|---|---|---|---|")
    for per_prompt in args.raters_a_prompt:
        runs = [measure(args.demo, per_prompt, s, args.epochs, args.out) for s in args.seeds]
        for heads, name in (("one", "one for all"), ("raters", "a head a rater")):
            rows = [row for run in runs for row in run[heads]]
            parts = [[x for x in rows if camps[x[0]] == c] for c in ("supporters", "opponents")]
            shares = " | ".join(map(share, (rows, *parts)))
            worst = min(of_each(rows).values())
            print(f"| {per_prompt} | {name} | {shares} | {worst:.3f} |", flush=True)


if __name__ == "__main__":
    main()
