"""Options of the methods that learn from answers they sample themselves, a class a method.

The fields are the options; `OPTIONS` says what each means. Where a default is not the paper's, the
class says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from suffrage.objectives.policy_gradient import Estimator, MeanOver


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """How answers are sampled and what they are worth."""

    samples: int = 1
    max_new_tokens: int = 64
    temperature: float = 1.0
    combine: Literal["sum", "ensemble", "safety", "lagrangian", "maxmin"] = "sum"
    disagreement: float = 1.0
    cost_limit: float = 0.0
    cost_rate: float = 0.1
    missing_end: Literal["penalty", "set"] = "penalty"
    missing_end_penalty: float = 1.0
    length_penalty: float = 0.0
    repetition_penalty: float = 0.0
    reward_scale: Literal["none", "reference"] = "none"
    reward_clip: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PolicyOptions(SamplingOptions):
    """How a policy follows the reward of its samples and stays near where it started."""

    rollout_epochs: int = 1
    minibatches: int = 1
    clip: float = 0.2
    kl_coef: float = 0.05
    kl_in: Literal["reward", "loss"] = "reward"
    kl_estimator: Estimator = "k1"
    kl_target: float = 0.0
    kl_horizon: float = 10_000.0
    entropy_coef: float = 0.0
    mean_over: MeanOver = "token"
    ema: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PPOOptions(PolicyOptions):
    """Proximal policy optimisation; the defaults are those of 2403.17031, but for `temperature`."""

    rollout_epochs: int = 4
    critic: Literal["own", "trunk"] = "own"
    value_clip: float = 0.2
    value_coef: float = 0.1
    gamma: float = 1.0
    lam: float = 0.95
    whiten_rewards: Literal["off", "on"] = "off"
    pretraining_coef: float = 1.0


@dataclass(frozen=True, kw_only=True)
class RLOOOptions(PolicyOptions):
    """REINFORCE, each sample against the mean of the prompt's others (2402.14740)."""

    samples: int = 4
    mean_over: MeanOver = "sequence"


@dataclass(frozen=True, kw_only=True)
class GRPOOptions(PolicyOptions):
    """Group-relative policy optimisation (2402.03300, eq. 3); `kl_coef` is the paper's."""

    samples: int = 8
    kl_coef: float = 0.04
    kl_in: Literal["reward", "loss"] = "loss"
    kl_estimator: Estimator = "k3"
    mean_over: MeanOver = "completion"
    group_scale: Literal["deviation", "none"] = "deviation"


@dataclass(frozen=True, kw_only=True)
class ReinforceOptions(PolicyOptions):
    """REINFORCE with the batch's mean as baseline (Williams 1992; 2402.14740, section 3.1)."""

    mean_over: MeanOver = "sequence"


@dataclass(frozen=True, kw_only=True)
class RAFTOptions(SamplingOptions):
    """Reward-ranked fine-tuning (2304.06767): the defaults are the paper's.

    `winners` "kept" lets the best answer of earlier rounds stand against a round's own, without
    which quality regresses (2307.09288, section 3.2.3).
    """

    samples: int = 8
    temperature: float = 0.85
    rollout_epochs: int = 1
    winners: Literal["kept", "new"] = "kept"


@dataclass(frozen=True, kw_only=True)
class BestOfNOptions(SamplingOptions):
    """The best of n answers of the model as given, imitated."""

    samples: int = 8


@dataclass(frozen=True, kw_only=True)
class OnlineDPOOptions(SamplingOptions):
    """Online DPO (2402.04792): the best and the worst of a prompt's samples are the pair."""

    samples: int = 2
    rollout_epochs: int = 1
    beta: float = 0.1
    nll: float = 0.0
