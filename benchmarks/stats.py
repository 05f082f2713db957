"""How fast the statistics are, beside two peers in the same run.

    python benchmarks/stats.py

Bradley-Terry: 1.7 million comparisons of 100 models, a quarter of them ties, 1,000 bootstrap
rounds. The peer is the algorithm of FastChat's `compute_bootstrap_bt`, written anew from its
description: distinct rows with their counts, counts drawn from a multinomial, and each round
fitted by scipy's L-BFGS-B from zero, rounds spread over all processors (Suffrage uses one).
Krippendorff's alpha: 1 million ratings on five steps (20 raters, 50,000 items); the peer is the
`krippendorff` package. Printed are seconds of wall time, best of `--repeat` runs, the seconds of
one processor they took (what an idle machine would need), and the peer's wall time over ours.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable
from functools import partial

import krippendorff
import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from suffrage.stats.agreement import alpha_value, krippendorff_alpha
from suffrage.stats.bradley_terry import bootstrap, bradley_terry, sandwich
from suffrage.stats.comparisons import Comparisons
from suffrage.stats.intervals import Floats, Ints


def arena(comparisons: int, models: int, prompts: int, seed: int = 0) -> Comparisons:
    """Random comparisons, ties included, of models whose scores are normal."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=models)
    first = rng.integers(models, size=comparisons)
    second = (first + rng.integers(1, models, size=comparisons)) % models
    result = (rng.random(comparisons) < expit(score[first] - score[second])).astype(float)
    result[rng.random(comparisons) < 0.25] = 0.5
    return Comparisons(
        items=tuple(map(str, range(models))),
        raters=("",),
        prompts=tuple(map(str, range(prompts))),
        first_N=first,
        second_N=second,
        result_N=result,
        side_N=np.zeros(comparisons),
        prompt_N=rng.integers(prompts, size=comparisons),
        rater_N=np.zeros(comparisons, dtype=np.intp),
    )


def loss_and_gradient(
    score: Floats, pairs: Ints, result: Floats, weight: Floats
) -> tuple[float, Floats]:
    gap = score[pairs[:, 0]] - score[pairs[:, 1]]
    loss = -(weight * (result * log_expit(gap) + (1 - result) * log_expit(-gap))).sum()
    pull = weight * (expit(gap) - result)
    size = len(score)
    gradient = np.bincount(pairs[:, 0], pull, size) - np.bincount(pairs[:, 1], pull, size)
    return float(loss), gradient


def peer_fit(weight: Floats, pairs: Ints, result: Floats, models: int) -> Floats:
    found = minimize(
        loss_and_gradient,
        np.zeros(models),
        args=(pairs, result, weight / weight.sum()),
        jac=True,
        method="L-BFGS-B",
        options={"gtol": 1e-6, "maxiter": 100},
    )
    return np.asarray(found.x - found.x.mean())


def peer_bootstrap(data: Comparisons, rounds: int, seed: int = 0) -> Floats:
    models = len(data.items)
    key = (data.first_N * models + data.second_N) * 3 + (2 * data.result_N).astype(np.intp)
    present, counts = np.unique(key, return_counts=True)
    pairs = np.stack(np.divmod(present // 3, models), axis=1)
    drawn = np.random.default_rng(seed).multinomial(len(data), counts / len(data), rounds)
    fit = partial(peer_fit, pairs=pairs, result=present % 3 / 2, models=models)
    with multiprocessing.Pool(os.cpu_count()) as pool:
        return np.array(pool.map(fit, drawn.astype(float), chunksize=16))


def best(work: Callable[[], object], repeat: int) -> tuple[float, float]:
    """Wall time and processor time of the fastest run."""
    found = []
    for _ in range(repeat):
        wall, processor = time.perf_counter(), time.process_time()
        work()
        found.append((time.perf_counter() - wall, time.process_time() - processor))
    return min(found)


def line(what: str, ours: tuple[float, float], peer: tuple[float, float] | None = None) -> None:
    theirs = ("", "") if peer is None else (f"{peer[0]:.2f}", f"{peer[0] / ours[0]:.1f}")
    print(f"| {what} | {ours[0]:.2f} | {ours[1]:.2f} | {theirs[0]} | {theirs[1]} |", flush=True)


def time_scores(rounds: int, repeat: int) -> None:
    data = arena(1_700_000, 100, 100_000)
    theirs = best(lambda: peer_bootstrap(data, rounds), 1)

    def ours(prompts: bool) -> None:
        bootstrap(data, bradley_terry(data), data.prompt_N if prompts else None, rounds=rounds)

    line("Bradley-Terry, single comparisons resampled", best(lambda: ours(False), repeat), theirs)
    line("Bradley-Terry, 100,000 prompts resampled whole", best(lambda: ours(True), repeat))
    fit = bradley_terry(data)
    line("Bradley-Terry, sandwich", best(lambda: sandwich(data, fit, data.prompt_N), repeat))


def time_alpha(rounds: int, repeat: int) -> None:
    ratings = np.random.default_rng(1).integers(1, 6, (20, 50_000)).astype(float)
    theirs = best(
        lambda: krippendorff.alpha(reliability_data=ratings, level_of_measurement="interval"),
        3 * repeat,
    )
    ours = best(lambda: alpha_value(ratings, "interval"), 3 * repeat)
    line("Krippendorff's alpha, the value", ours, theirs)
    interval = best(lambda: krippendorff_alpha(ratings, "interval", rounds=rounds), repeat)
    line("Krippendorff's alpha with its interval", interval)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=2)
    args = parser.parse_args()
    print("| what | seconds | on one processor | the peer's | ratio |\n|---|---|---|---|---|")
    time_alpha(args.rounds, args.repeat)
    time_scores(args.rounds, args.repeat)


if __name__ == "__main__":
    main()
