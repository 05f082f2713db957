"""How often 95 % intervals hold the truth, over simulated studies whose truth is known.

    python benchmarks/coverage.py --studies 1000

Each line is one kind of study, drawn `--studies` times with another seed; an interval covers when
the truth lies in it. With 1,000 studies a true 95 % shows as 93.6 to 96.4 %. In every study the
judgments of a prompt resemble each other, and whole prompts are resampled:

- alpha: two raters of pairs, the second turning the first's choice round in 20 % of prompts'
  judgments at random; nominal alpha is .6;
- win rate: each prompt has its own chance to win, Beta(3, 2), judged three times; the mean is .6;
- Bradley-Terry: six items of scores -1 to 1; each prompt judged three times on random pairs, the
  scores counted together.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from scipy.special import expit

from suffrage.core.results import Estimate
from suffrage.stats.agreement import krippendorff_alpha
from suffrage.stats.comparisons import Comparisons
from suffrage.stats.intervals import clustered_mean
from suffrage.stats.leaderboard import rank
from suffrage.stats.rankings import Setting

REPEATS = 3  # judgments a prompt
SCORES = np.linspace(-1, 1, 6)

Study = Callable[[int, int, int], list[bool]]  # prompts, rounds, seed -> which intervals cover


def covers(estimate: Estimate, truth: float) -> bool:
    low, high = estimate.low, estimate.high
    return low is not None and high is not None and low <= truth <= high


def alpha(prompts: int, rounds: int, seed: int) -> list[bool]:
    rng = np.random.default_rng(seed)
    first = rng.integers(2, size=prompts * REPEATS)
    turned = rng.random(len(first)) < 0.2
    labels = np.repeat(np.arange(prompts), REPEATS)
    found = krippendorff_alpha(
        [first, first ^ turned], clusters=labels, seed=seed, rounds=rounds, unit="prompts"
    )
    return [covers(found, 0.6)]


def win_rate(prompts: int, rounds: int, seed: int) -> list[bool]:
    rng = np.random.default_rng(seed)
    chance = rng.beta(3, 2, size=prompts)
    won = rng.random((prompts, REPEATS)) < chance[:, None]
    labels = np.repeat(np.arange(prompts), REPEATS)
    return [covers(clustered_mean(won.ravel(), labels, seed=seed, rounds=rounds), 0.6)]


def scores(prompts: int, rounds: int, seed: int) -> list[bool]:
    return _scores(prompts, Setting(rounds=rounds, seed=seed))


def scores_by_sandwich(prompts: int, rounds: int, seed: int) -> list[bool]:
    return _scores(prompts, Setting(rounds=2, seed=seed, interval="sandwich"))


def _scores(prompts: int, setting: Setting) -> list[bool]:
    rng = np.random.default_rng(setting.seed)
    judgments, items = prompts * REPEATS, len(SCORES)
    first = rng.integers(items, size=judgments)
    second = (first + rng.integers(1, items, size=judgments)) % items
    result = rng.random(judgments) < expit(SCORES[first] - SCORES[second])
    data = Comparisons(
        items=tuple(map(str, range(items))),
        raters=("",),
        prompts=tuple(map(str, range(prompts))),
        first_N=first,
        second_N=second,
        result_N=result.astype(float),
        side_N=np.zeros(judgments),
        prompt_N=np.repeat(np.arange(prompts), REPEATS),
        rater_N=np.zeros(judgments, dtype=np.intp),
    )
    lines = rank(data, setting).ranking.items
    return [covers(line.score, SCORES[int(line.item)]) for line in lines]


STUDIES: dict[str, Study] = {
    "alpha": alpha,
    "win rate": win_rate,
    "Bradley-Terry scores": scores,
    "Bradley-Terry scores, sandwich": scores_by_sandwich,
}


def coverage(study: Study, prompts: int, studies: int, rounds: int) -> float:
    """The share of intervals that hold the truth."""
    return float(np.mean([study(prompts, rounds, seed) for seed in range(studies)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--prompts", type=int, nargs="+", default=[30, 100, 300])
    parser.add_argument("--rounds", type=int, default=1000)
    args = parser.parse_args()
    print("| interval | " + " | ".join(f"{prompts} prompts" for prompts in args.prompts) + " |")
    print("|---|" + "---|" * len(args.prompts))
    for name, study in STUDIES.items():
        found = [coverage(study, prompts, args.studies, args.rounds) for prompts in args.prompts]
        print(f"| {name} | " + " | ".join(f"{share:.1%}" for share in found) + " |", flush=True)


if __name__ == "__main__":
    main()
