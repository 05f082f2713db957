"""Answers of the policy as it is now, and what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from suffrage.data.encode import Branch, Encoder, Tree
from suffrage.models.language_model import LanguageModel
from suffrage.models.processes import ALONE, Processes, pieces
from suffrage.models.sample import Sample, Sampling, sample
from suffrage.objectives.online import SamplingOptions
from suffrage.train.optimiser import Metrics
from suffrage.train.rl.rewards import Rewards
from suffrage.train.rl.tasks import Task

ROWS = 256  # decoded together


@dataclass(frozen=True)
class Scored:
    """Answers with a score: one tree for each task that has any, branches in order.

    task_P: the place of each tree's task; score_B, group_B: of each branch, its score and its
    tree's number; finished_B: whether it came to its end.
    """

    trees: list[Tree]
    task_P: list[int]
    score_B: Tensor
    group_B: Tensor
    finished_B: Tensor
    metrics: Metrics

    def of_tree(self, number: int) -> Tensor:
        """(K,) the scores of a tree's branches."""
        return self.score_B[self.group_B == number]

    @property
    def lengths(self) -> list[int]:
        return [len(branch.tokens) for tree in self.trees for branch in tree.branches]


@dataclass(frozen=True)
class Sampler:
    """Draws answers from `policy` and scores them; prompts and rewards meet as text.

    Of several processes each answers and scores some of the prompts; all know all of it.
    """

    policy: LanguageModel
    rewards: Rewards
    encoder: Encoder
    options: SamplingOptions
    processes: Processes = ALONE

    def __call__(self, tasks: Sequence[Task], seed: int, keys: Sequence[int]) -> Scored:
        """keys: what each task's random numbers are drawn from."""
        sampled = self.sample(tasks, seed, keys)
        score_B, metrics = self.score(tasks, sampled)
        scored_B = torch.isfinite(score_B)
        score_B, kept = score_B[scored_B], iter(scored_B.tolist())
        own = [[s for s in answers if next(kept)] for answers in sampled]
        task_P = [place for place, answers in enumerate(own) if answers]
        trees = [Tree(tasks[p].tokens, tuple(Branch(s.tokens) for s in own[p])) for p in task_P]
        group = [number for number, p in enumerate(task_P) for _ in own[p]]
        flat = [s for answers in own for s in answers]
        metrics = {"reward": float(score_B.mean()), **metrics, **_lengths(flat)}
        if self.rewards.left_out:
            metrics["left_out"] = self.rewards.left_out
        finished_B = torch.tensor([s.finished for s in flat])
        return Scored(trees, task_P, score_B, torch.tensor(group), finished_B, metrics)

    def sample(self, tasks: Sequence[Task], seed: int, keys: Sequence[int]) -> list[list[Sample]]:
        sampling = Sampling(
            max_new_tokens=self.options.max_new_tokens,
            temperature=self.options.temperature,
            seed=seed,
            batch_size=ROWS,
        )

        def answer(own: list[tuple[Task, int]]) -> list[list[Sample]]:
            prompts, names = [task.tokens for task, _ in own], [key for _, key in own]
            return sample(self.policy, prompts, self.options.samples, sampling, names)

        return self.processes.divide(list(zip(tasks, keys, strict=True)), answer)

    def score(
        self, tasks: Sequence[Task], sampled: Sequence[Sequence[Sample]]
    ) -> tuple[Tensor, Metrics]:
        """(B,) on the CPU, and the figures of each reward."""
        prompts = [task.prompt for task in tasks]
        return self.rewards(prompts, self.apart(tasks, sampled), sampled)

    def apart(self, tasks: Sequence[Task], sampled: Sequence[Sequence[Sample]]) -> Tensor:
        """(M, B): what each reward says of each answer."""

        def judge(own: list[tuple[Task, Sequence[Sample]]]) -> list[Tensor]:
            tasks, sampled = [task for task, _ in own], [samples for _, samples in own]
            prompts = [task.prompt for task in tasks]
            score_MB = self.rewards.apart(prompts, self.texts(tasks, sampled))
            return pieces(score_MB, [len(samples) for samples in sampled], 1)

        asked = list(zip(tasks, sampled, strict=True))
        return torch.cat(self.processes.divide(asked, judge), 1)

    def texts(self, tasks: Sequence[Task], sampled: Sequence[Sequence[Sample]]) -> list[list[str]]:
        return [
            [self.encoder.text(task.prompt, task.tokens, s.tokens) for s in own]
            for task, own in zip(tasks, sampled, strict=True)
        ]

    def take_scale(self, tasks: Sequence[Task], seed: int) -> None:
        """Scale each reward so that answers of the policy as given have mean 0 and variance 1."""
        sampled = self.sample(tasks, seed, list(range(len(tasks))))
        self.rewards.normalise(self.apart(tasks, sampled))


def _lengths(flat: Sequence[Sample]) -> Metrics:
    return {
        "length": sum(len(s.tokens) for s in flat) / len(flat),
        "unfinished": sum(not s.finished for s in flat) / len(flat),
    }
