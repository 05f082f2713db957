"""What is learned beside a reward model: where ratings step up, and how reliable raters are.

These are few figures with a meaning of their own, so they have a rate of their own, the same for a
model of any size, and are kept as figures: in the model's config, or in a file of the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from suffrage.core.files import write_json
from suffrage.data.opinions import LEVELS, Scale
from suffrage.models.scalar_head import OFFSET, ScalarModel
from suffrage.objectives.objective import Objective
from suffrage.objectives.ordinal import free_parameters, increasing_cutpoints, marginal_cutpoints
from suffrage.train.examples import Example

RATE = 0.05  # of the log-odds of a reliability and of cutpoints, which are of the order of 1
CUTPOINTS = "reward_cutpoints"  # in config.json: scale -> for each head, the rewards between levels
DOUBT = 1e-4  # nobody is certain, and a logarithm of 0 has no gradient
RATERS = "raters.json"  # in a run: rater -> probability of a right vote


class Cutpoints(nn.Module):
    """The rewards at which each scale's ratings step up, for each head of the model.

    At the start an answer of reward 0 is rated as the training answers are on the whole.
    """

    def __init__(self, examples: Sequence[Example], heads: int = 1) -> None:
        super().__init__()
        given = Counter((r.scale, e.head, r.level) for e in examples for r in e.ratings)
        self.heads = heads
        self.raw = nn.ParameterDict(
            {
                f"{scale}-{head}": nn.Parameter(free_parameters(marginal_cutpoints(counts)))
                for scale, levels in LEVELS.items()
                for head in range(heads)
                for counts in [torch.tensor([given[scale, head, k + 1] for k in range(levels)])]
            }
        )

    def forward(self, scale: Scale, head: int) -> Tensor:
        """(C,): the cutpoints of a scale of C + 1 levels."""
        return increasing_cutpoints(self.raw[f"{scale}-{head}"])

    def shifted(self, by: Sequence[float]) -> dict[str, list[list[float]]]:
        """The cutpoints by scale and head, where a head's rewards have all been lowered by `by`."""
        return {
            scale: [(self(scale, head).detach() - by[head]).tolist() for head in range(self.heads)]
            for scale in LEVELS
        }


class Reliabilities(nn.Module):
    """How often each rater is right: a probability, from the mean of its prior at the start."""

    votes: Tensor  # (R,) that each rater cast

    def __init__(self, examples: Sequence[Example], prior: float) -> None:
        super().__init__()
        cast = Counter(rater for example in examples for rater in example.raters)
        self.names = sorted(cast)
        self.place = {name: index for index, name in enumerate(self.names)}
        self.register_buffer("votes", torch.tensor([float(cast[name]) for name in self.names]))
        # Beta(a + 1, 1) has the mean (a + 1) / (a + 2), whose log-odds are log(a + 1)
        start = torch.tensor(prior + 1).log()
        self.raw = nn.Parameter(start.repeat(len(self.names)))
        self.unknown = float(_probability(start))

    def forward(self, raters: Sequence[str]) -> tuple[Tensor, Tensor]:
        """(P,) reliabilities and votes of the raters; one never met has the prior's, and a vote."""
        e_R = torch.cat([_probability(self.raw), self.raw.new_tensor([self.unknown])])
        votes_R = torch.cat([self.votes, self.votes.new_ones(1)])
        places = [self.place.get(name, len(self.names)) for name in raters]
        index_P = torch.tensor(places, dtype=torch.long, device=e_R.device)
        return e_R[index_P], votes_R[index_P]

    def save(self, folder: Path) -> None:
        """Write each rater's reliability, the least reliable first."""
        found = dict(zip(self.names, _probability(self.raw.detach()).tolist(), strict=True))
        kept = {name: round(found[name], 6) for name in sorted(found, key=lambda n: found[n])}
        write_json(folder / RATERS, kept)


def _probability(raw: Tensor) -> Tensor:
    return DOUBT + (1 - 2 * DOUBT) * torch.sigmoid(raw)


Beside = Cutpoints | Reliabilities


def make_beside(
    row: Objective, options: Mapping[str, Any], examples: Sequence[Example], heads: int = 1
) -> Beside | None:
    """What this method learns beside the model from these examples; most learn nothing."""
    own = [part.example for example in examples for part in example.parts] or examples
    if row.view == "ratings":
        return Cutpoints(own, heads)
    return Reliabilities(own, options["prior"]) if row.view == "votes" else None


def centre(
    scalar: ScalarModel,
    examples: Sequence[Example],
    scores: Sequence[Tensor],
    beside: Beside | None = None,
) -> None:
    """Let the training completions score 0 on average (1909.08593, section 2), head by head.

    scores: of each example's branches. Cutpoints move along, into the model's config.
    """
    config, score = scalar.model.config, torch.cat(list(scores))
    shift = [float(score.mean())] if score.dim() == 1 else _means(score, examples)
    moved = [old + by for old, by in zip(scalar.offsets, shift, strict=True)]
    setattr(config, OFFSET, moved if scalar.heads else moved[0])
    if isinstance(beside, Cutpoints):
        setattr(config, CUTPOINTS, beside.shifted(shift))


def _means(score_BH: Tensor, examples: Sequence[Example]) -> list[float]:
    """Each head's mean over the completions that it is told something of."""
    own: dict[int, list[Tensor]] = {head: [] for head in range(score_BH.shape[1])}
    start = 0
    for example in examples:
        for part in example.parts:
            rows = [start + branch for branch in part.branches]
            own[part.example.head].append(score_BH[rows, part.example.head])
        start += len(example.tree.branches)
    return [float(torch.cat(found).mean()) if found else 0.0 for found in own.values()]
