"""Votes that the active choice of comparisons saves, against random order.

    python -m benchmarks.active

Models with normal scores are compared two at a time; after so many votes the scores are fitted and
held against the true ones (Kendall's tau, mean over `--studies` sets of models). Printed is the
smallest share of `--votes` with which the active choice is as accurate as random order with all of
them. The farther models stand apart (`--spreads`, the standard deviation of their scores), the more
comparisons have an outcome that is known beforehand, and the more there is to save.
"""

from __future__ import annotations

import argparse
from itertools import combinations

import numpy as np
from scipy.special import expit
from scipy.stats import kendalltau

from suffrage.label.active import believe, worth
from suffrage.stats.intervals import Floats

MODELS = 12
WINDOW = 64  # the least judged items, among which the queue chooses
SHARES = tuple(share / 10 for share in range(3, 11))

Counts = dict[tuple[str, str], list[float]]


def accuracy(truth_K: Floats, votes: int, active: bool, rng: np.random.Generator) -> float:
    """Kendall's tau between the true scores and those fitted after so many votes."""
    pairs = [(str(one), str(two)) for one, two in combinations(range(len(truth_K)), 2)]
    counts: Counts = {}
    for _ in range(votes):
        window = [pairs[place] for place in rng.choice(len(pairs), WINDOW)]
        best = int(np.argmax(worth(believe(counts), window))) if active and counts else 0
        one, two = window[best]
        won = rng.random() < expit(truth_K[int(one)] - truth_K[int(two)])
        counts.setdefault((one, two), [0.0, 0.0])[0 if won else 1] += 1
    belief = believe(counts)
    fitted = dict(zip(belief.items, belief.score_K, strict=True))
    score_K = [fitted.get(str(item), 0.0) for item in range(len(truth_K))]
    return float(kendalltau(score_K, truth_K).statistic)


def mean_accuracy(votes: int, *, active: bool, studies: int, spread: float) -> float:
    """Over so many sets of models whose scores have this standard deviation."""
    found = []
    for seed in range(studies):
        rng = np.random.default_rng([seed, 7])
        truth_K = rng.normal(0, spread, MODELS)
        found.append(accuracy(truth_K, votes, active, rng))
    return float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--votes", type=int, default=480, help="in random order")
    parser.add_argument("--studies", type=int, default=16)
    parser.add_argument("--spreads", type=float, nargs="+", default=[1.0, 2.0, 3.0])
    args = parser.parse_args()
    print("| spread of scores | tau, random order | share of the votes | tau, active |")
    print("|---|---|---|---|")
    for spread in args.spreads:
        about = {"studies": args.studies, "spread": spread}
        random = mean_accuracy(args.votes, active=False, **about)
        for share in SHARES:
            tau = mean_accuracy(round(share * args.votes), active=True, **about)
            if tau >= random or share == SHARES[-1]:
                print(f"| {spread:g} | {random:.3f} | {share:.0%} | {tau:.3f} |", flush=True)
                break


if __name__ == "__main__":
    main()
