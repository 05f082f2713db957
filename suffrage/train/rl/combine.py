"""How the scores of several rewards become one. Shape letters: M rewards, B answers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from suffrage.core.errors import NumericalError
from suffrage.core.records import Prompt
from suffrage.objectives.online import SamplingOptions
from suffrage.train.optimiser import Metrics

SAFETY = "safety"  # category of a prompt whose answers are judged by their safety alone
UNSAFE = 0.15  # a probability of being safe below it makes safety the reward (2307.09288, 3.2.3)


def combine(
    score_MB: Tensor, prompts: Sequence[Prompt], options: SamplingOptions, price: float
) -> tuple[Tensor, Metrics]:
    """(B,) and the figures of the way they were combined; prompts: of each answer."""
    if not score_MB.shape[1]:
        raise NumericalError("no answer of this rollout has a reward")
    if options.combine == "ensemble":
        return ensemble(score_MB, options.disagreement)
    if options.combine == "safety":
        of_safety_B = torch.tensor([p.meta.get("category") == SAFETY for p in prompts])
        return safety_first(score_MB, of_safety_B)
    if options.combine == "lagrangian":
        return lagrangian(score_MB, price)
    if options.combine == "maxmin":
        return maxmin(score_MB)
    return score_MB.sum(0), {}


def ensemble(score_MB: Tensor, disagreement: float) -> tuple[Tensor, Metrics]:
    """The mean less c times the standard deviation over the rewards (2310.02743).

    Where members trained apart disagree, the answer is unlike what they were trained on, and a high
    score there is likelier to be a mistake than a good answer.
    """
    spread_B = score_MB.std(0, correction=0)
    return score_MB.mean(0) - disagreement * spread_B, {"disagreement": float(spread_B.mean())}


def safety_first(score_MB: Tensor, of_safety_B: Tensor) -> tuple[Tensor, Metrics]:
    """Llama 2's rule (2307.09288, section 3.2.3): the first reward is safety, the second help.

    R = safety where the prompt is one of safety or sigmoid(safety) < .15, else help

    The paper then whitens R: `whitened`, where a policy learns from it.
    """
    safety_B, help_B = score_MB
    unsafe_B = torch.sigmoid(safety_B) < UNSAFE
    chosen_B = torch.where(of_safety_B | unsafe_B, safety_B, help_B)
    return chosen_B, {"unsafe": float(unsafe_B.float().mean())}


def whitened(score_B: Tensor) -> Tensor:
    """Scores of a rollout at mean 0 and variance 1, so that no logged figure need be."""
    return (score_B - score_B.mean()) / (score_B.std(correction=0) + 1e-8)


def lagrangian(score_MB: Tensor, price: float) -> tuple[Tensor, Metrics]:
    """Safe-RLHF (2310.12773, eq. 10): (reward - lambda cost) / (1 + lambda); the second is cost."""
    reward_B, cost_B = score_MB
    figures = {"cost": float(cost_B.mean()), "price": price}
    return (reward_B - price * cost_B) / (1 + price), figures


def maxmin(score_MB: Tensor) -> tuple[Tensor, Metrics]:
    """The reward of the group that fares worst now (MaxMin-RLHF, 2402.08925, algorithm 1)."""
    worst = int(score_MB.mean(1).argmin())
    return score_MB[worst], {"worst_group": float(worst)}
