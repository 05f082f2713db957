"""Methods that sample, on a real task: make a small story model tell happy stories.

    python -m benchmarks.rl --real FOLDER --methods ppo rloo raft best-of-n --seeds 0 1 2

The policy is stories260K, a prompt the opening of a story, the reward VADER's compound sentiment of
40 further tokens. Held-out openings are answered before and after; the table gives their mean
reward with its 95 % interval over prompts, the KL to the model as given of whole continuations,
and the seconds of training. `--real` holds `models/stories260K` and
`data/tinystories_prompts.jsonl.gz`. Two processes of a thread each, where there are two cores:

    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 -m benchmarks.rl ...
"""

from __future__ import annotations

import argparse
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from suffrage.core.files import read_jsonl, write_jsonl
from suffrage.data.read import read_prompts
from suffrage.models.generate import generate
from suffrage.models.language_model import load
from suffrage.models.processes import find_processes
from suffrage.models.sample import Sampling
from suffrage.stats.intervals import clustered_mean, number
from suffrage.train.rl.run import train_online
from suffrage.train.settings import make_settings

NEW_TOKENS, HELD_OUT, ANSWERS = 40, 100, 4
# What differs from the defaults: no story ends within 40 tokens, so none pays for it.
SHARED: dict[str, Any] = {"max_new_tokens": NEW_TOKENS, "missing_end_penalty": 0.0}
METHODS: dict[str, dict[str, Any]] = {
    "ppo": {
        "batch_size": 32,
        "epochs": 2,
        "max_steps": 42,
        "options": {
            "samples": 4,
            "rollout_epochs": 1,
            "minibatches": 2,
            "lam": 1.0,
            "kl_coef": 0.045,
        },
    },
    "rloo": {"batch_size": 32, "epochs": 2, "options": {"kl_coef": 0.04}},
    "grpo": {"batch_size": 16, "epochs": 2, "options": {}},
    "reinforce": {"batch_size": 64, "epochs": 6, "options": {"kl_coef": 0.03}},
    "raft": {"batch_size": 32, "max_steps": 16, "lr": 1e-4, "options": {}},
    "best-of-n": {"batch_size": 32, "epochs": 2, "options": {}},
    "online-dpo": {"batch_size": 32, "epochs": 4, "options": {}},
}


@cache
def _analyser() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def sentiment(prompts: list[str], completions: list[str]) -> list[float]:
    """VADER's compound sentiment of each continuation, -1 to 1."""
    return [float(_analyser().polarity_scores(text)["compound"]) for text in completions]


def split(real: Path, out: Path) -> tuple[Path, Path]:
    """Files of openings to train on and held out."""
    prompts, _ = read_prompts(str(real / "data" / "tinystories_prompts.jsonl.gz"))
    rows = [{"id": p.id, "prompt": p.text} for p in prompts]
    files = out / "train.jsonl", out / "held-out.jsonl"
    for file, part in zip(files, (rows[HELD_OUT:], rows[:HELD_OUT]), strict=True):
        write_jsonl(file, part)
    return files


def reward_of(model: str, held_out: Path) -> str:
    """Mean sentiment of a model's continuations, with its interval by prompt."""
    prompts, _ = read_prompts(str(held_out))
    groups = generate(load(model, "cpu"), prompts, ANSWERS, Sampling(NEW_TOKENS, seed=7))
    texts = [c.text for group in groups for c in group.completions]
    clusters, _ = number([g.prompt.id for g in groups for _ in g.completions])
    found = clustered_mean(np.array(sentiment(texts, texts)), clusters)
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def measure(method: str, seed: int, model: str, files: tuple[Path, Path], out: Path) -> str:
    """One row of the table, of a run by all processes."""
    given = METHODS[method]
    settings = make_settings(
        method=method,
        model=model,
        data=str(files[0]),
        eval_data=str(files[1]),
        seed=seed,
        device="cpu",
        **{**given, "options": {**SHARED, **given["options"]}},
    )
    run = out / f"{method}-{seed}"
    train_online(settings, "benchmarks.rl:sentiment", run)
    return find_processes().first(lambda: row_of(run, method, seed, files[1]))


def row_of(run: Path, method: str, seed: int, held_out: Path) -> str:
    last = list(read_jsonl(run / "metrics.jsonl"))[-1]
    seconds = sum(row.get("seconds", 0) for row in read_jsonl(run / "timing.jsonl"))
    memory = max(row.get("peak_memory_mib", 0) for row in read_jsonl(run / "timing.jsonl"))
    found = reward_of(str(run), held_out)
    return (
        f"| {method} | {seed} | {found} | {last['eval/kl']:.1f} | {last['step']} | {seconds:.0f} | "
        f"{memory:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, default=Path("../shared/real"))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("build/rl"))
    args = parser.parse_args()
    model = str(args.real / "models" / "stories260K")
    files = find_processes().first(lambda: begin(args.real, args.out, model))
    for method in args.methods:
        for seed in args.seeds:
            row = measure(method, seed, model, files, args.out)
            if find_processes().main:
                print(row, flush=True)


def begin(real: Path, out: Path, model: str) -> tuple[Path, Path]:
    """Make the files, and print the head of the table."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    files = split(real, out)
    print("| method | seed | held-out reward | KL, nats | steps | seconds | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    print(f"| none | | {reward_of(model, files[1])} | | | | |", flush=True)
    return files


if __name__ == "__main__":
    main()
