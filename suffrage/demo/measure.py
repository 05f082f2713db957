"""What the demo measures of its models: it knows the truth, since it made the world."""

from __future__ import annotations

from suffrage.core.records import Group
from suffrage.core.results import RewardResult, StanceResult
from suffrage.demo.setting import Demo
from suffrage.evaluate.rewards import reward_quality
from suffrage.evaluate.stance import stance_shares
from suffrage.models.language_model import pick_device
from suffrage.models.scalar_head import load_reward, score_trees
from suffrage.worlds.adaptation import World

TRUTH = {"zh": "模擬評分者真正的偏好", "en": "the simulated raters' true preference"}


def judge_reward(demo: Demo, groups: list[Group]) -> RewardResult:
    """The reward model against the raters' true utility, on questions nobody voted on."""
    scalar = load_reward(demo.path("reward"), pick_device())
    encoder = scalar.base.encoder("cut")
    pairs = []
    for group in groups:
        tree = encoder.tree(group)
        scores = score_trees(scalar, [tree]).tolist() if tree else []
        worth = [demo.world.utility(group.prompt.text, c.text) for c in group.completions]
        for i in range(len(scores)):
            for j in range(i):
                if worth[i] != worth[j]:
                    outcome = float(worth[i] > worth[j])
                    pairs.append((group.prompt.id, scores[i] - scores[j], outcome))
    return reward_quality("reward", TRUTH[demo.lang], pairs, demo.seed)


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
