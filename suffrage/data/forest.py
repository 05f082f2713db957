"""A batch of trees as one forest: each prompt's tokens are computed once, however many answers.

Shape letters: R rows, L row length, N scored completion tokens, B branches (completions), in the
order in which the trees were given. In the `forest` layout a row holds whole trees and a token sees
its own trunk and its own branch; the `row` layout is a forest of one row, without padding, for the
kernel that takes it tree by tree; in the `plain` layout a row is one path, trunk then branch, for
models that cannot take such a mask. All give the same numbers (2410.20305 shares prefixes of pairs
in the same way).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from torch import Tensor

from suffrage.data.encode import Tree

Layout = Literal["row", "forest", "plain"]
PADDING = -1
LONG_TREE = 128  # tokens on average; shorter ones are quicker several at a time, under one mask


@dataclass(frozen=True)
class Forest:
    """Trees as tensors, with the places of everything an objective reads."""

    input_ids_RL: Tensor
    position_ids_RL: Tensor  # restart after the trunk in every branch
    tree_RL: Tensor  # which tree a token belongs to; PADDING beyond a row's end
    branch_RL: Tensor  # 0 in a trunk, then 1, 2, ... within the tree
    predictor_N: Tensor  # flat place of the token whose hidden state predicts the scored token
    target_N: Tensor  # the scored token
    branch_N: Tensor  # the branch it belongs to, in [0, B)
    last_B: Tensor  # flat place of each branch's last token
    layout: Layout

    @property
    def branches(self) -> int:
        return self.last_B.shape[0]

    @property
    def tokens(self) -> int:
        """Tokens computed, padding included."""
        return self.input_ids_RL.numel()

    def to(self, device: torch.device) -> Forest:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: v.to(device) for k, v in values.items() if k != "layout"})

    def visible_RLL(self) -> Tensor:
        """Whether the token at [r, i] attends to the one at [r, j]."""
        tree, branch = self.tree_RL, self.branch_RL
        same_tree = tree[:, :, None] == tree[:, None, :]
        on_path = (branch[:, None, :] == 0) | (branch[:, None, :] == branch[:, :, None])
        length = tree.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=tree.device).tril()
        return same_tree & on_path & causal


@dataclass
class _Row:
    """One row while it is filled."""

    ids: list[int]
    positions: list[int]
    trees: list[int]
    branches: list[int]

    @staticmethod
    def empty() -> _Row:
        return _Row([], [], [], [])

    def add(self, tokens: Sequence[int], start: int, tree: int, branch: int) -> int:
        """Append tokens at positions from `start`; return the place of the first."""
        place = len(self.ids)
        self.ids.extend(tokens)
        self.positions.extend(range(start, start + len(tokens)))
        self.trees.extend([tree] * len(tokens))
        self.branches.extend([branch] * len(tokens))
        return place


def pack(trees: Sequence[Tree], layout: Layout = "forest") -> Forest:
    """Lay trees out as a forest; every trunk needs at least one token.

    Rows of a forest are as long as the largest tree (path, in the plain layout) and filled
    first-fit, largest first; short trees make a forest where a row is asked for.
    """
    if layout == "plain":
        paths: list[Items] = [[(t, b)] for t, tree in enumerate(trees) for b in _paths(tree)]
        return _lay_out(trees, paths, "plain")
    sizes = [tree.size for tree in trees]
    if layout == "row" and sum(sizes) >= LONG_TREE * max(1, len(trees)):
        return one_row(trees)
    return _lay_out(trees, [[(t, None) for t in row] for row in first_fit(sizes)], "forest")


def one_row(trees: Sequence[Tree]) -> Forest:
    """The `row` layout, however short the trees."""
    return _lay_out(trees, [[(t, None) for t in range(len(trees))]], "row")


def _paths(tree: Tree) -> range:
    return range(len(tree.branches))


def first_fit(sizes: Sequence[int]) -> list[list[int]]:
    """Indices of the items of each bin; the capacity is the largest item (first-fit decreasing)."""
    capacity = max(sizes, default=0)
    bins: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        place = next((b for b, free in enumerate(room) if free >= sizes[index]), None)
        if place is None:
            bins.append([])
            room.append(capacity)
            place = len(bins) - 1
        bins[place].append(index)
        room[place] -= sizes[index]
    return bins


def split(trees: Sequence[Tree], budget: int, scored: int | None = None) -> list[list[int]]:
    """Indices of consecutive trees whose sizes add up to at most `budget`, at least one each.

    scored: the most completion tokens of a part, where the logits of these are what takes memory.
    """
    parts: list[list[int]] = []
    used = used_scored = 0
    for index, tree in enumerate(trees):
        full = used + tree.size > budget or used_scored + tree.scored > (scored or budget)
        if not parts or full:
            parts.append([])
            used = used_scored = 0
        parts[-1].append(index)
        used += tree.size
        used_scored += tree.scored
    return parts


def deal(sizes: Sequence[int], hands: int) -> list[list[int]]:
    """Indices of the items of each hand, largest first, by turns to whoever has least so far."""
    dealt: list[list[int]] = [[] for _ in range(hands)]
    held = [0] * hands
    for index in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        hand = held.index(min(held))
        dealt[hand].append(index)
        held[hand] += sizes[index]
    return dealt


Items = list[tuple[int, int | None]]  # of a row: trees with all branches (None) or with one


def _lay_out(trees: Sequence[Tree], rows: list[Items], layout: Layout) -> Forest:
    first_branch = _offsets([len(tree.branches) for tree in trees])
    filled: list[_Row] = []
    seams: dict[int, tuple[int, int, int]] = {}  # branch -> row, last trunk place, first place
    for number, items in enumerate(rows):
        row = _Row.empty()
        for tree, only in items:
            chosen = _paths(trees[tree]) if only is None else (only,)
            trunk = trees[tree].trunk
            trunk_end = row.add(trunk, 0, tree, 0) + len(trunk) - 1
            for branch in chosen:
                tokens = trees[tree].branches[branch].tokens
                kind = branch + 1 if only is None else 0
                start = row.add(tokens, len(trunk), tree, kind)
                seams[first_branch[tree] + branch] = (number, trunk_end, start)
        filled.append(row)
    return _tensors(trees, filled, seams, layout)


def _offsets(counts: Sequence[int]) -> list[int]:
    total, starts = 0, []
    for count in counts:
        starts.append(total)
        total += count
    return starts


def _tensors(
    trees: Sequence[Tree],
    rows: list[_Row],
    seams: dict[int, tuple[int, int, int]],
    layout: Layout,
) -> Forest:
    length = max((len(row.ids) for row in rows), default=0)
    predictors: list[int] = []
    targets: list[int] = []
    owners: list[int] = []
    last: list[int] = []
    for index, branch in enumerate(b for tree in trees for b in tree.branches):
        row, trunk_end, start = seams[index]
        places = [trunk_end, *range(start, start + len(branch.tokens))]
        flat = [row * length + place for place in places]
        scored = branch.scored
        predictors.extend(flat[i] for i in scored)
        targets.extend(branch.tokens[i] for i in scored)
        owners.extend(index for _ in scored)
        last.append(flat[-1])
    return Forest(
        input_ids_RL=_padded([row.ids for row in rows], length, 0),
        position_ids_RL=_padded([row.positions for row in rows], length, 0),
        tree_RL=_padded([row.trees for row in rows], length, PADDING),
        branch_RL=_padded([row.branches for row in rows], length, 0),
        predictor_N=torch.tensor(predictors, dtype=torch.long),
        target_N=torch.tensor(targets, dtype=torch.long),
        branch_N=torch.tensor(owners, dtype=torch.long),
        last_B=torch.tensor(last, dtype=torch.long),
        layout=layout,
    )


def _padded(rows: list[list[int]], length: int, fill: int) -> Tensor:
    padded = [row + [fill] * (length - len(row)) for row in rows]
    return torch.tensor(padded, dtype=torch.long).reshape(len(rows), length)
