"""Several rewards as one: what each says, how they are combined, and what is taken off.

Every score is kept apart in the figures, and that of a reward of weight 0 is only watched. What is
learned of the rewards on the way (the price of a cost, the scale of a reference answer) lives here
and goes into the checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from suffrage.core.errors import NumericalError, SettingsError
from suffrage.core.progress import say
from suffrage.core.records import Prompt
from suffrage.models.processes import find_processes
from suffrage.models.sample import Sample
from suffrage.objectives.online import SamplingOptions
from suffrage.train.optimiser import Metrics
from suffrage.train.rl.combine import combine
from suffrage.train.rl.reward import Reward

LEFT_OUT_MOST = 0.5  # share of a rollout's answers without a score at which a run stops
GRAM = 3  # tokens of a stretch that may be repeated
NAMED = 20  # prompts with an answer without a score that are named


@dataclass(frozen=True)
class Member:
    """One of the rewards: by which name it is logged, what its score is multiplied by, what scores.

    One of weight 0 is watched: it is logged, and nothing follows it.
    """

    name: str
    weight: float
    reward: Reward

    @property
    def figure(self) -> str:
        return f"{'reward' if self.weight else 'watched'}/{self.name}"


@dataclass
class Rewards:
    """The rewards of a run.

    price: what a unit of cost costs, lambda in Safe-RLHF. shift, scale: of each member, so that
    answers of the reference have mean 0 and variance 1. without: how many answers of each prompt
    had no score so far.
    """

    members: tuple[Member, ...]
    options: SamplingOptions
    price: float = 1.0
    shift: list[float] = field(default_factory=list)
    scale: list[float] = field(default_factory=list)
    without: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shift = self.shift or [0.0] * len(self.members)
        self.scale = self.scale or [1.0] * len(self.members)
        least = {"sum": 1, "maxmin": 2, "ensemble": 2}.get(self.options.combine, 2)
        most = {"safety": 2, "lagrangian": 2}.get(self.options.combine, math.inf)
        counted = sum(member.weight != 0 for member in self.members)
        if not least <= counted <= most:
            wanted = "two rewards" if most == 2 else f"{least} or more rewards"
            raise SettingsError(
                f"--combine {self.options.combine} takes {wanted} of a weight that is not 0, and "
                f"{counted} came; repeat --reward."
            )

    @property
    def left_out(self) -> int:
        """Answers without a score so far."""
        return sum(self.without.values())

    def __call__(
        self,
        prompts: Sequence[Prompt],
        score_MB: Tensor,
        samples: Sequence[Sequence[Sample]],
    ) -> tuple[Tensor, Metrics]:
        """(B,) on the CPU, nan for an answer without a score; and each reward's mean.

        score_MB: what `apart` gave for the prompts' samples.
        """
        weight_M = torch.tensor([m.weight for m in self.members], dtype=score_MB.dtype)
        counted_MB = (weight_M[:, None] * score_MB)[weight_M != 0]
        good_B = torch.isfinite(counted_MB).all(0)
        asked = [p for p, own in zip(prompts, samples, strict=True) for _ in own]
        self._count(good_B, [prompt.id for prompt in asked])
        score_B = torch.full((score_MB.shape[1],), math.nan)
        kept = [prompt for prompt, good in zip(asked, good_B.tolist(), strict=True) if good]
        combined_B, metrics = combine(counted_MB[:, good_B], kept, self.options, self.price)
        flat = [s for own in samples for s in own]
        left = [s for s, good in zip(flat, good_B.tolist(), strict=True) if good]
        score_B[good_B] = self._after(combined_B, left)
        return score_B, {**self._each(score_MB[:, good_B]), **metrics}

    def apart(self, prompts: Sequence[Prompt], texts: Sequence[Sequence[str]]) -> Tensor:
        """(M, B): what each member says, in its own scale."""
        rows = [m.reward.score(prompts, texts) for m in self.members]
        return torch.stack(
            [(r - a) / b for r, a, b in zip(rows, self.shift, self.scale, strict=True)]
        )

    def normalise(self, score_MB: Tensor) -> None:
        """Let these scores, of reference answers, have mean 0 and variance 1 from now on."""
        for place, row in enumerate(score_MB):
            row = row[torch.isfinite(row)]
            self.shift[place] = float(row.mean()) if len(row) else 0.0
            deviation = float(row.std(correction=0)) if len(row) else 0.0
            self.scale[place] = deviation or 1.0

    def learn(self, metrics: Metrics) -> None:
        """Raise the price while the cost is above its limit (Safe-RLHF, 2310.12773, eq. 11)."""
        if self.options.combine == "lagrangian":
            excess = metrics["cost"] - self.options.cost_limit
            self.price *= math.exp(min(max(self.options.cost_rate * excess, -1.0), 1.0))

    def _after(self, score_B: Tensor, samples: Sequence[Sample]) -> Tensor:
        """The score within its bounds, less what length, repetition and a missing end cost."""
        options = self.options
        if options.reward_clip:
            score_B = score_B.clamp(-options.reward_clip, options.reward_clip)
        length_B = torch.tensor([float(len(s.tokens)) for s in samples])
        repeated_B = torch.tensor([repetition(s.tokens) for s in samples])
        score_B = score_B - options.length_penalty * length_B
        score_B = score_B - options.repetition_penalty * repeated_B
        unfinished_B = torch.tensor([not s.finished for s in samples], dtype=torch.bool)
        if options.missing_end == "set":
            return score_B.masked_fill(unfinished_B, -options.missing_end_penalty)
        return score_B - options.missing_end_penalty * unfinished_B.float()

    def _count(self, good_B: Tensor, prompts: list[str]) -> None:
        bad = [name for name, good in zip(prompts, good_B.tolist(), strict=True) if not good]
        names = list(dict.fromkeys(bad))
        if not self.without.keys() >= set(names) and len(self.without) < NAMED:
            told = f"no reward for {len(bad)} of {len(prompts)} answers, which are left out"
            if find_processes().main:
                say(told + _to(names))
        for name in bad:
            self.without[name] = self.without.get(name, 0) + 1
        if len(bad) > LEFT_OUT_MOST * len(prompts):
            raise NumericalError(
                f"the reward gave no finite number for {len(bad)} of {len(prompts)} answers (the "
                f"first to prompt {bad[0]}); mend the reward, and the same command carries on from "
                "the last checkpoint"
            )

    def _each(self, score_MB: Tensor) -> Metrics:
        """The mean of each of several; what a watched one has no score for is passed over."""
        if len(self.members) == 1:
            return {}
        scored = {
            member.figure: row[torch.isfinite(row)]
            for member, row in zip(self.members, score_MB, strict=True)
        }
        return {name: float(row.mean()) for name, row in scored.items() if len(row)}

    def note(self) -> tuple[str, ...]:
        """What a finished run says of answers without a score, if there were any."""
        names = _to(list(self.without))
        said = f"answers that had no reward and were left out: {self.left_out}{names}"
        return (said,) if self.without else ()

    def state(self) -> dict[str, Any]:
        return {"price": self.price, "without": self.without}

    def restore(self, state: dict[str, Any]) -> None:
        self.price, self.without = state["price"], dict(state["without"])


def _to(prompts: Sequence[str]) -> str:
    """`, to prompts a, b`: the first of many."""
    more = f" and {len(prompts) - NAMED} more" if len(prompts) > NAMED else ""
    return f", to prompts {', '.join(prompts[:NAMED])}{more}"


def repetition(tokens: Sequence[int]) -> float:
    """The share of stretches of three tokens that came before; 0 in shorter answers."""
    grams = [tuple(tokens[i : i + GRAM]) for i in range(len(tokens) - GRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0
