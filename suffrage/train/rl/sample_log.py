"""Answers as they change: a few held-out prompts, answered anew at each evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch

from suffrage.core.files import append_jsonl
from suffrage.core.runs import SAMPLES, RunDirectory
from suffrage.train.optimiser import Metrics
from suffrage.train.rl.sampler import Sampler
from suffrage.train.rl.tasks import Task

SHOWN = 3  # prompts


@dataclass(frozen=True)
class SampleLog:
    """Told of each row of figures, appends to `samples.jsonl` after an evaluation.

    A prompt's random numbers are those of the evaluation, so these are answers it counted. saved:
    within which the policy has the weights that it evaluated.
    """

    run: RunDirectory
    sampler: Sampler
    tasks: Sequence[Task]
    seed: int
    saved: Callable[[], AbstractContextManager[None]] = nullcontext

    def __call__(self, row: Metrics) -> None:
        if "eval/reward" not in row:
            return
        with self.saved():
            answers = self._answers()
        for task, text, rewards in answers:
            prompt = {"prompt_id": task.prompt.id, "prompt": task.prompt.text}
            answer = {"step": row["step"], **prompt, "completion": text, "rewards": rewards}
            append_jsonl(self.run.path / SAMPLES, answer)

    def _answers(self) -> list[tuple[Task, str, dict[str, float | None]]]:
        """Each prompt's first answer, and what each reward says of it, None where nothing."""
        options = replace(self.sampler.options, samples=1)
        sampler, tasks = replace(self.sampler, options=options), self.tasks[:SHOWN]
        with torch.no_grad():
            sampled = sampler.sample(tasks, self.seed, list(range(len(tasks))))
            texts, score_MB = sampler.texts(tasks, sampled), sampler.apart(tasks, sampled)
        names = [member.name for member in sampler.rewards.members]
        said = [dict(zip(names, map(_finite, row), strict=True)) for row in score_MB.T.tolist()]
        answers = zip(tasks, texts, said, strict=True)
        return [(task, own[0], rewards) for task, own, rewards in answers]


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
