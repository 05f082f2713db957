"""Reward against KL: what the policy gained for how far it moved (Gao et al. 2022)."""

from __future__ import annotations

from suffrage.report.collect.frontier import frontier_plots
from suffrage.report.collect.series import known, numbers
from suffrage.report.figures.curves import path_picture, trend_path
from suffrage.report.inputs import Inputs
from suffrage.report.runs import Run
from suffrage.report.text import compact
from suffrage.report.words import Words


def collect(inputs: Inputs, words: Words) -> dict[str, object] | None:
    """A plot for each run that logged both figures at two steps or more, and each frontier."""
    plots = []
    for place, run in enumerate(inputs.runs):
        points = kl_and_reward(run)
        if len(points) >= 2:
            plots.append(_plot(run, points, f"kl{place}", words))
    frontiers = frontier_plots(inputs, words)
    return {"plots": plots, "frontiers": frontiers} if plots or frontiers else None


def kl_and_reward(run: Run) -> list[tuple[float, float]]:
    """(KL, reward) of the steps that logged both, in order."""
    kl, reward = numbers(run, "kl"), numbers(run, "reward")
    if kl is None or reward is None:
        return []
    rewards = dict(known(reward.points))
    return [(value, rewards[step]) for step, value in known(kl.points) if step in rewards]


def _plot(
    run: Run, points: list[tuple[float, float]], name: str, words: Words
) -> dict[str, object]:
    path = trend_path(points)
    (kl, reward), (last_kl, last_reward) = path[0], path[-1]
    told = words(
        "reward_kl.told",
        reward=compact(reward),
        last_reward=compact(last_reward),
        kl=compact(kl),
        last_kl=compact(last_kl),
    )
    titles = (words("reward_kl.kl"), words("reward_kl.reward"))
    return {"name": run.name, "told": told, "figure": path_picture(name, points, titles, told)}
