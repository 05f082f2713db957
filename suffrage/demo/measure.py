"""What the demo measures of its models: it knows the truth, since it made the world."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from suffrage.core.records import Group
from suffrage.core.results import RewardResult, StanceResult
from suffrage.data.preferences import vote_share
from suffrage.demo.setting import Demo
from suffrage.evaluate.rewards import Pair, reward_quality
from suffrage.evaluate.stance import stance_shares
from suffrage.label.simulate import simulate_rankings
from suffrage.models.language_model import pick_device
from suffrage.models.scalar_head import load_reward, score_trees
from suffrage.worlds.adaptation import World
from suffrage.worlds.adaptation.raters import panel, rater_utility

TRUTH = {"en": "the simulated raters' true preference", "zh": "模擬評分者真正的偏好"}
VOTES = {"en": "new votes of the same raters", "zh": "同一批評分者的新票"}


def judge_reward(demo: Demo, groups: list[Group]) -> RewardResult:
    """The reward model on questions nobody voted on: its order, and its probabilities.

    Its order is held against the raters' true utility. Its probabilities were learned from votes
    of the whole panel, odd raters and all, so they are held against new votes of that panel.
    """
    scores = _scores(demo, groups)
    voted = new_votes(demo.world, groups, demo.seed + 1)
    return reward_quality(
        "reward",
        TRUTH,
        list(_pairs(groups, scores, lambda group: true_shares(demo.world, group))),
        demo.seed,
        votes=(VOTES, list(_pairs(voted, scores, vote_shares))),
    )


def _scores(demo: Demo, groups: list[Group]) -> dict[str, list[float]]:
    """Prompt id -> the reward model's score of each completion; prompts too long are absent."""
    scalar = load_reward(demo.path("reward"), pick_device())
    encoder = scalar.base.encoder("cut")
    trees = {group.prompt.id: encoder.tree(group) for group in groups}
    return {name: score_trees(scalar, [tree]).tolist() for name, tree in trees.items() if tree}


Shares = dict[tuple[int, int], float]  # places of two completions -> how far the first is preferred


def _pairs(
    groups: list[Group], scores: dict[str, list[float]], shares: Callable[[Group], Shares]
) -> Iterator[Pair]:
    for group in groups:
        own = scores.get(group.prompt.id, [])
        for (i, j), share in shares(group).items() if own else ():
            yield group.prompt.id, own[i] - own[j], share


def true_shares(world: World, group: Group) -> Shares:
    """1 or 0 for each two completions of different worth; equals have no truer order."""
    worth = [world.utility(group.prompt.text, c.text) for c in group.completions]
    places = range(len(worth))
    return {
        (i, j): float(worth[i] > worth[j]) for i in places for j in range(i) if worth[i] != worth[j]
    }


def vote_shares(group: Group) -> Shares:
    """The share of the group's votes for the first of each two completions."""
    return {(pair.first, pair.second): pair.probability for pair in vote_share(group)}


def new_votes(world: World, groups: list[Group], seed: int) -> list[Group]:
    """The groups as the whole panel ranks them, each rater once a prompt."""
    raters = panel()
    votes = simulate_rankings(groups, raters, rater_utility(world), len(raters), seed)
    return [
        group.model_copy(
            update={"judgments": tuple(v for v in votes if v.prompt_id == group.prompt.id)}
        )
        for group in groups
    ]


def measure_stance(world: World, groups: dict[str, list[Group]], seed: int) -> StanceResult:
    """Which sides each model's answers take, and how many are well formed."""
    rows = [
        stance_shares(
            name,
            [[world.stance(c.text) for c in g.completions] for g in own],
            [[world.parse(g.prompt.text, c.text) is not None for c in g.completions] for g in own],
            seed,
        )
        for name, own in groups.items()
    ]
    return StanceResult(question=world.about, models=tuple(rows))
