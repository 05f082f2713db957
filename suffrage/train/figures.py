"""The figures a step logs, as sums that micro-batches add up to."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

Sums = dict[str, tuple[float, float]]  # name -> sum and what to divide it by


def add_sums(sums: Sums, found: Sums) -> None:
    """Add `found` into `sums`, name by name."""
    for name, (value, weight) in found.items():
        before = sums.get(name, (0.0, 0.0))
        sums[name] = (before[0] + value, before[1] + weight)


def add_up(parts: Iterable[Sums]) -> Sums:
    """The sums of all parts together."""
    whole: Sums = {}
    for part in parts:
        add_sums(whole, part)
    return whole


def averages(sums: Sums) -> dict[str, float]:
    """The means; 0 where nothing was counted."""
    return {name: value / weight if weight else 0.0 for name, (value, weight) in sums.items()}


def weighted(values: Tensor, weight: Tensor) -> tuple[float, float]:
    """The weighted sum of the values, and the sum of the weights."""
    return float((values * weight).sum().detach()), float(weight.sum())


def ranked(reward_GK: Tensor, worth_GK: Tensor, mask_GK: Tensor) -> tuple[float, float]:
    """Pairs of a group that the rewards order as the raters do; equal rewards count half."""
    real_GKK = mask_GK[:, :, None] * mask_GK[:, None, :]
    better_GKK = (worth_GK[:, :, None] > worth_GK[:, None, :]) * real_GKK
    right_GKK = ((reward_GK[:, :, None] - reward_GK[:, None, :]).sign() + 1) / 2
    return weighted(right_GKK, better_GKK)


def of_best(values_GK: Tensor, worth_GK: Tensor, mask_GK: Tensor) -> tuple[float, float]:
    """The values of each group's best completions."""
    best_G1 = worth_GK.masked_fill(mask_GK == 0, -torch.inf).max(1, keepdim=True).values
    return weighted(values_GK, (worth_GK == best_G1) * mask_GK)


# What each logged figure means: first those of every method, then, by what is learned and the view
# it is learned from, those of a method. The docs are made from it.
EVERY_METHOD = {
    "step": "optimiser steps so far (where answers are sampled: rollouts); a row with step 0 is "
    "the evaluation before the first",
    "lr": "the learning rate of this step",
    "epoch": "passes over the data so far",
}
_STEP = {
    "grad_norm": "the gradient's norm before it is clipped to `--clip-norm`",
    "tokens": "tokens of the batch's prompts and answers, each prompt counted once",
    "waste": "share of the computed tokens that is padding or, in the plain layout, a repeated "
    "prompt",
}
_BESIDE = {
    "grad_norm/model": _STEP["grad_norm"],
    "grad_norm/beside": "the same of the few figures that are learned beside the model",
    **{name: text for name, text in _STEP.items() if name != "grad_norm"},
}
_REWARD = {"reward": "mean reward of the batch's answers, before the final shift"}
FIGURES: dict[tuple[str, str], dict[str, str]] = {
    ("language", "demonstrations"): {
        "loss": "nats per token, the mean over all answer tokens of the batch",
        **_STEP,
    },
    ("language", "comparisons"): {
        "loss": "nats per token, the mean over all answer tokens of the batch, each answer read "
        "after what raters thought of it",
        **_STEP,
    },
    ("language", "classes"): {
        "loss": "nats per token, the mean over all answer tokens of the batch, each times the "
        "weight of its class",
        "chosen_logp": "mean log-probability per token of the good answers, behind the name of "
        "their class; 0 where the batch has none",
        "rejected_logp": "the same of the bad answers",
        **_STEP,
    },
    ("language", "pairs"): {
        "loss": "mean loss of the batch's pairs, each by its weight",
        "accuracy": "share of pairs whose preferred answer has the larger reward; equal rewards, "
        "and pairs on which the raters are split, count half",
        "margin": "mean reward of the preferred answer less that of the other",
        "chosen_reward": "mean of what the method takes for the reward, of the preferred answers",
        "rejected_reward": "the same of the other answers",
        "chosen_logp": "mean log-probability per token of the preferred answers",
        "rejected_logp": "the same of the other answers",
        **_STEP,
    },
    ("language", "labels"): {
        "loss": "mean loss of the batch's labelled answers",
        "chosen_reward": "mean reward of the desirable answers; 0 where the batch has none",
        "rejected_reward": "the same of the undesirable answers",
        "chosen_logp": "mean log-probability per token of the desirable answers; 0 where the batch "
        "has none",
        "rejected_logp": "the same of the undesirable answers",
        **_STEP,
    },
    ("language", "rankings"): {
        "loss": "mean loss of the batch's prompts",
        "accuracy": "share of the pairs within a prompt that are ordered as the raters order them, "
        "by the method's reward or, where it has none, by the mean log-probability of a token; "
        "equal ones count half",
        "chosen_logp": "mean log-probability per token of each prompt's best answers",
        **_STEP,
    },
    ("reward", "pairs"): {
        "loss": "mean loss of the batch's prompts, each the mean over its pairs",
        "accuracy": "share of pairs ordered as the majority of the raters orders them; ties count "
        "half",
        "margin": "mean reward of the preferred answer less that of the other",
        **_REWARD,
        **_STEP,
    },
    ("reward", "rankings"): {
        "loss": "mean loss of the batch's prompts",
        "accuracy": "share of the pairs within a prompt that the rewards order as the raters do; "
        "equal rewards count half",
        **_REWARD,
        **_STEP,
    },
    ("reward", "labels"): {
        "loss": "mean loss of the batch's prompts, each the mean over its labelled answers",
        "accuracy": "share of answers on the right side of 0: above if desirable; half if split",
        "reward": "mean reward of the batch's answers",
        **_STEP,
    },
    ("reward", "ratings"): {
        "loss": "mean loss of the batch's prompts, each the mean over the ratings of its answers",
        "accuracy": "share of ratings that are the likeliest under the answer's reward",
        **_REWARD,
        **_BESIDE,
    },
    ("reward", "votes"): {
        "loss": "mean loss of the batch's prompts, each the mean over its votes",
        "accuracy": "share of votes that the rewards agree with; ties count half",
        "margin": "mean reward of the answer voted for less that of the other",
        "reliability": "mean over the votes of how often their rater is taken to be right",
        **_REWARD,
        **_BESIDE,
    },
}

# Of methods that sample, whose figures depend on more than what is learned from what.
_SAMPLED = {
    "reward": "mean score of the sampled answers, what is taken off included; `eval/reward`: of "
    "answers to the held-out prompts, drawn with the same random numbers each time. Of several "
    "rewards `reward/NAME` is each one's own mean, in its scale, and `watched/NAME` that of one of "
    "weight 0; held out too",
    "reward_low": "held out only: where the 95 % interval of `eval/reward` begins, over prompts",
    "reward_high": "held out only: where it ends",
    "kl": "mean over answers of the summed log-ratio to the reference, in nats; an estimate "
    "from samples, which may dip below 0 near the start",
    "entropy": "mean of -log p of the sampled tokens; near 0 the model always says the same",
    "length": "mean tokens of an answer",
    "unfinished": "share of the answers cut at `--max-new-tokens`",
    "left_out": "answers so far that had no reward and were left out; there only where some were",
    "disagreement": "with `--combine ensemble`: mean deviation of the rewards from each other",
    "unsafe": "with `--combine safety`: share of the answers that safety finds unsafe",
    "cost": "with `--combine lagrangian`: mean cost",
    "price": "with `--combine lagrangian`: what a unit of cost costs in this step",
    "worst_group": "with `--combine maxmin`: the number of the reward that is followed in this "
    "step, from 0 in the order given",
}
_UPDATED = {
    "loss": "the loss in the last update of the step",
    "policy_loss": "the policy's loss, the mean over all updates of the step",
    "clip_fraction": "share of the tokens held back by `--clip`; well above .2 the steps are "
    "too large",
    "ratio": "mean of rho before the first update. It is 1; anything else is a bug",
    "kl_loss": "with `--kl-in loss`: the estimate of the KL, a token, before `--kl-coef`",
    "kl_coef": "with `--kl-target`: the anchor's strength after this step",
    "exact_entropy": "with `--entropy-coef`: the entropy of the policy's distributions, a token",
}
_OWN_NORM = {"grad_norm": "the policy's gradient norm in the last update, before it is clipped"}
_IMITATED = {
    "best_reward": "mean score of the answers that are imitated",
    "loss": "nats per token of the answers imitated, in the last update of the step",
    **{name: text for name, text in _STEP.items() if name != "tokens"},
}
# Logged only where an option, or an answer without a reward, calls for them
SOMETIMES = {
    "reward_low",
    "reward_high",
    "left_out",
    "disagreement",
    "unsafe",
    "cost",
    "price",
    "worst_group",
    "kl_loss",
    "kl_coef",
    "exact_entropy",
    "pretraining_loss",
}
OF_METHOD: dict[str, dict[str, str]] = {
    "ppo": {
        **_SAMPLED,
        "explained_variance": "share of the variance of the returns that the critic foresaw; 1 is "
        "perfect, below 0 is worse than a constant",
        **_UPDATED,
        "value_loss": "the critic's loss, the mean over all updates of the step",
        "pretraining_loss": "with `--pretraining`: nats per token of that text",
        "grad_norm/policy": "the policy's gradient norm in the last update, before it is clipped",
        "grad_norm/critic": "the same of the critic",
    },
    "rloo": {**_SAMPLED, **_UPDATED, **_OWN_NORM},
    "grpo": {**_SAMPLED, **_UPDATED, **_OWN_NORM},
    "reinforce": {**_SAMPLED, **_UPDATED, **_OWN_NORM},
    "raft": {**_SAMPLED, **_IMITATED},
    "best-of-n": {**_SAMPLED, **_IMITATED},
    "online-dpo": {
        **_SAMPLED,
        "tied": "share of the prompts whose answers all score alike, so that they make no pair",
        **{k: v for k, v in FIGURES["language", "pairs"].items() if k != "tokens"},
    },
}


def figures_of(method: str, learns: str, view: str) -> dict[str, str]:
    """What each figure that a method logs means."""
    return OF_METHOD[method] if view == "prompts" else FIGURES[learns, view]
