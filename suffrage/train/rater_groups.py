"""Groups of raters for the heads of a reward model, found by EM on what the model sees.

The features of an answer are the given model's state at its last token, so that finding the groups
costs one forward over the data; the reward model with a head a group is then trained as for groups
that were known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from suffrage.core.errors import SettingsError
from suffrage.core.records import Group
from suffrage.data.encode import Encoder
from suffrage.data.forest import pack, split
from suffrage.data.opinions import as_votes
from suffrage.data.views import ViewError
from suffrage.models.forward import hidden_states
from suffrage.models.language_model import LanguageModel
from suffrage.stats.intervals import Floats, Ints
from suffrage.stats.vote_groups import (
    count_vote_groups,
    find_vote_groups,
    names_of,
    standardised,
)

PREFIX = "groups:"
BUDGET = 16384  # tokens computed at once


@dataclass(frozen=True)
class RaterGroups:
    """The group of each rater, and what to say of how they were found."""

    groups: dict[str, str]
    note: str


@dataclass(frozen=True, eq=False)
class _Votes:
    """N votes: feature differences, winner less loser, who voted, on which prompt."""

    x_ND: Floats
    rater_N: Ints
    prompt_N: Ints
    raters: tuple[str, ...]


def asked_for(setting: str) -> int | None:
    """How many groups `groups:N` asks for, None for `groups:auto`; `SettingsError` otherwise."""
    wanted = setting.removeprefix(PREFIX)
    if wanted == "auto":
        return None
    if not wanted.isdecimal() or int(wanted) < 2:
        raise SettingsError(
            f"--heads {setting}: write groups:2 (or more), or groups:auto to let held-out votes "
            "choose."
        )
    return int(wanted)


def find_rater_groups(
    setting: str, groups: Sequence[Group], model: LanguageModel, encoder: Encoder, seed: int
) -> RaterGroups:
    """Sort the raters of these judged groups into as many groups as `setting` asks for."""
    count, note = asked_for(setting), ""
    votes = _votes(groups, model, encoder)
    if count is None:
        counted = count_vote_groups(votes.x_ND, votes.rater_N, votes.prompt_N, seed=seed)
        count = counted.chosen
        tried = ", ".join(f"{k} {v:.3f}" for k, v in enumerate(counted.held_out_G, 1))
        note = f" (log-likelihood of a held-out vote with so many groups: {tried})"
    found = find_vote_groups(votes.x_ND, votes.rater_N, count, seed=seed)
    named = names_of(found.group_R, votes.raters)
    return RaterGroups(named, f"groups of raters: {_listed(named)}{note}")


def _listed(named: dict[str, str]) -> str:
    members: dict[str, list[str]] = {}
    for rater, group in sorted(named.items()):
        members.setdefault(group, []).append(rater)
    return "; ".join(f"{group}: {', '.join(own)}" for group, own in sorted(members.items()))


def _votes(groups: Sequence[Group], model: LanguageModel, encoder: Encoder) -> _Votes:
    """Every decided vote by a named rater on answers that fit."""
    rows: list[tuple[int, int, str, int]] = []  # winner's and loser's place, rater, prompt
    trees, place = [], 0
    for number, group in enumerate(groups):
        tree = encoder.tree(group)
        if tree is None:
            continue
        rows += [(place + a, place + b, rater, number) for rater, a, b in _decided(group)]
        trees.append(tree)
        place += len(tree.branches)
    if not rows:
        raise SettingsError("--heads groups needs votes by named raters, and the data has none.")
    state_BD = _last_states(model, trees)
    winner, loser, rater, prompt = zip(*rows, strict=True)
    raters = tuple(sorted(set(rater)))
    x_ND = standardised(state_BD[list(winner)] - state_BD[list(loser)])
    known = {name: i for i, name in enumerate(raters)}
    prompts = np.unique(prompt, return_inverse=True)[1]
    return _Votes(x_ND, np.array([known[name] for name in rater]), prompts, raters)


def _decided(group: Group) -> list[tuple[str, int, int]]:
    """(rater, preferred, other) of each vote that is no tie."""
    try:
        votes = as_votes(group)
    except ViewError:
        return []
    return [(r, v.first, v.second) for r, v in votes if r and v.probability != 0.5]


def _last_states(model: LanguageModel, trees: list) -> Floats:  # type: ignore[type-arg]
    """(B, D): the state at each branch's last token, in the order of the trees."""
    parts = []
    with torch.no_grad():
        for indices in split(trees, BUDGET):
            forest = pack([trees[i] for i in indices], model.layout).to(model.device)
            parts.append(hidden_states(model.model, forest)[forest.last_B].double().cpu())
    return torch.cat(parts).numpy()
