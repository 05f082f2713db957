"""What each option of a method is, and which values it can take: help texts and checks.

The options and their defaults are the keyword arguments of the objectives; here is only what a
signature cannot say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from suffrage.core.errors import SettingsError


@dataclass(frozen=True)
class Option:
    """One option: its meaning and its range; `above` excludes its own value."""

    help: str
    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf

    @property
    def range(self) -> str:
        """The values it can take, in words."""
        limits = (
            (f"above {self.above:g}", math.isfinite(self.above)),
            (f"at least {self.least:g}", math.isfinite(self.least)),
            (f"at most {self.most:g}", math.isfinite(self.most)),
        )
        return " and ".join(words for words, stated in limits if stated)

    def holds(self, value: float) -> bool:
        return math.isfinite(value) and self.above < value and self.least <= value <= self.most


OPTIONS = {
    "beta": Option(
        "scale of the reward; tied to a reference, a smaller one lets the model go further", above=0
    ),
    "label_smoothing": Option(
        "share of the labels taken to be wrong (conservative DPO)", least=0, most=0.5
    ),
    "nll": Option("weight of imitating the chosen answer, which keeps the language", least=0),
    "nll_tokens": Option("imitation of an answer's tokens summed (the paper) or averaged"),
    "tokens": Option("log-probabilities of an answer's tokens summed (the paper) or averaged"),
    "flip_rate": Option(
        "share of the labels that were flipped, which the loss undoes", least=0, most=0.49
    ),
    "tau": Option(
        "width of the passage from the logistic to the exponential loss", above=0, most=1
    ),
    "target_smoothing": Option("share of each label given to the other answer", above=0, most=0.5),
    "odds_weight": Option("weight of the odds ratio beside imitation (lambda)", least=0),
    "gamma_ratio": Option("margin by which the chosen answer must lead, in betas", least=0),
    "delta": Option("margin by which the chosen answer must lead, in nats", above=0),
    "centring": Option("pull of the rewards towards zero", least=0),
    "prior": Option("right votes each rater is credited with from the start", least=0),
    "margin": Option("lead in reward asked for at full strength of a preference", least=0),
    "desirable_weight": Option("weight of the completions labelled desirable", least=0),
    "undesirable_weight": Option("weight of the completions labelled undesirable", least=0),
    "middling_weight": Option("weight of the answers of the middling class", least=0),
    "bad_weight": Option("weight of the answers of the bad class", least=0),
    "alpha": Option("power of the length that divides a log-probability; 0 divides by 1", least=0),
    "imitation": Option("weight of imitating the best answer of a group", least=0),
    "imitation_tokens": Option("imitation of an answer's tokens summed (the paper) or averaged"),
    "variant": Option("the formula of the paper, or that of its released code"),
    "samples": Option("completions a prompt in each rollout", least=1),
    "max_new_tokens": Option("longest completion, in tokens", least=1),
    "temperature": Option("of the sampling; 1 samples what the model believes", above=0),
    "combine": Option(
        "several rewards as one: their weighted sum; an ensemble's mean less its disagreement; "
        "safety (the first) where it is low or the prompt's category is safety, else the second; "
        "the first less the price of the "
        "second, a cost; or that of the group that fares worst"
    ),
    "disagreement": Option("ensemble: weight of the standard deviation over rewards", least=0),
    "cost_limit": Option("lagrangian: mean cost to stay below"),
    "cost_rate": Option("lagrangian: how fast the price follows the excess", above=0),
    "missing_end": Option(
        "an unfinished completion loses the penalty, or is worth its negative whatever its score"
    ),
    "length_penalty": Option("taken off the score for each token", least=0),
    "repetition_penalty": Option(
        "taken off the score, times the share of stretches of three tokens that came before",
        least=0,
    ),
    "reward_scale": Option(
        "leave rewards as they are, or give answers of the model as given mean 0 and variance 1"
    ),
    "reward_clip": Option("largest size of a reward; 0: any", least=0),
    "rollout_epochs": Option("passes over each rollout", least=1),
    "kl_in": Option("the anchor as part of the reward, or as a term of the loss"),
    "kl_estimator": Option("of the KL: k1, the log-ratio; k2, half its square; k3, never negative"),
    "kl_target": Option(
        "KL of whole completions that the anchor's strength is adapted to hold; 0: it stays",
        least=0,
    ),
    "kl_horizon": Option("completions over which that strength adapts", above=0),
    "entropy_coef": Option(
        "weight of the policy's entropy, which keeps its answers varied", least=0
    ),
    "mean_over": Option(
        "the loss is a mean over tokens, over completions' own means, or over completions' sums"
    ),
    "ema": Option(
        "decay of an average of the weights, which is saved in their place; 0: none",
        least=0,
        most=0.9999,
    ),
    "critic": Option(
        "a model of its own, or a head on the policy's: cheaper, one forward for both"
    ),
    "whiten_rewards": Option("give the tokens' rewards variance 1 in each rollout"),
    "pretraining_coef": Option("weight of the loss on the text of --pretraining", least=0),
    "group_scale": Option("divide by the deviation of the prompt's scores, or not"),
    "winners": Option("let the best answer of earlier rounds stand, or take each round's own"),
    "minibatches": Option("parts of each pass, one update a part", least=1),
    "kl_coef": Option("strength of the anchor to the model it started from", least=0),
    "clip": Option("how far the ratio of new to old probability counts", above=0),
    "value_clip": Option("how far a value may move in one rollout", above=0),
    "value_coef": Option("weight of the critic's loss", least=0),
    "gamma": Option("discount of later rewards", above=0, most=1),
    "lam": Option("lambda of generalised advantage estimation", least=0, most=1),
    "missing_end_penalty": Option("of a completion without an end token", least=0),
}


def check_option(
    method: str, name: str, value: Any, default: Any, choices: tuple[str, ...] = ()
) -> Any:
    """The value, of its default's type; `SettingsError` where it has not that type or range."""
    flag = "--" + name.replace("_", "-")
    if choices:
        if value not in choices:
            known = " or ".join(choices)
            raise SettingsError(f"{flag} of {method} is {value!r}; it must be {known}.")
        return value
    option, kind = OPTIONS[name], type(default)
    whole = "a whole number" if kind is int else "a number"
    allowed = (int,) if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed) or not option.holds(value):
        must = " ".join([whole, option.range]).strip()
        raise SettingsError(f"{flag} of {method} is {value!r}; it must be {must}.")
    return kind(value)
