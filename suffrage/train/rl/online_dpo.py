"""The step of online DPO: of each prompt's answers, the best is preferred to the worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from suffrage.core.records import SoftPair
from suffrage.data.encode import Tree
from suffrage.models.language_model import LanguageModel
from suffrage.objectives.online import OnlineDPOOptions
from suffrage.train.examples import Batches, Example
from suffrage.train.figures import Sums, add_up, averages
from suffrage.train.offline import Method, loss_sums
from suffrage.train.optimiser import Metrics, Optimiser
from suffrage.train.reference import reference_sums
from suffrage.train.rl.rollout import Roller, Rollout, seed_of
from suffrage.train.rl.tasks import Task


@dataclass
class OnlineDPOStep:
    """A rollout, a pair for each prompt on which the scores differ, and updates by DPO."""

    roller: Roller
    tasks: Sequence[Task]
    batches: Batches
    optimiser: Optimiser
    options: OnlineDPOOptions
    method: Method
    seed: int
    budget: int

    def __call__(self, step: int) -> Metrics:
        chosen = self.batches.at(step)
        tasks = [self.tasks[i] for i in chosen]
        rollout = self.roller(tasks, seed_of(self.seed, step), chosen)
        self.roller.sampler.rewards.learn(rollout.scored.metrics)
        examples = pairs_of(rollout, [task.prompt.id for task in tasks])
        examples = with_sums(self.roller.reference, examples, self.budget)
        epoch = round((step + 1) / self.batches.per_epoch, 4)
        tied = 1 - len(examples) / len(tasks)
        return {"epoch": epoch, **rollout.metrics, "tied": tied, **self._update(examples, step)}

    def _update(self, examples: Sequence[Example], step: int) -> Metrics:
        updated: Metrics = {}
        sums: Sums = {}
        processes = self.optimiser.processes
        for _ in range(self.options.rollout_epochs if examples else 0):
            sums = {}
            losses = loss_sums(self.method, examples, sums, processes)
            count = self.method.count(examples)
            updated = self.optimiser.update(losses, count, lambda: f"at step {step + 1}")
        return {**averages(add_up(processes.gather(sums))), **updated}

    def evaluate(self, tasks: Sequence[Task]) -> Metrics:
        return self.roller.evaluate(tasks, self.seed)

    def state(self) -> dict[str, Any]:
        return {"rewards": self.roller.sampler.rewards.state()}

    def restore(self, state: dict[str, Any]) -> None:
        self.roller.sampler.rewards.restore(state["rewards"])


def pairs_of(rollout: Rollout, prompts: Sequence[str]) -> list[Example]:
    """A tree of the best and the worst branch, in this order, where their scores differ."""
    scored = rollout.scored
    made = []
    for number, tree in enumerate(rollout.trees):
        score_K = scored.of_tree(number)
        best, worst = int(score_K.argmax()), int(score_K.argmin())
        if float(score_K[best]) > float(score_K[worst]):
            branches = (tree.branches[best], tree.branches[worst])
            pair = (SoftPair(first=0, second=1),)
            made.append(Example(prompts[scored.task_P[number]], Tree(tree.trunk, branches), pair))
    return made


def with_sums(reference: LanguageModel, examples: Sequence[Example], budget: int) -> list[Example]:
    """The examples with the reference's log-probability of each branch."""
    if not examples:
        return []
    sums_B = reference_sums(reference, examples, budget)
    return [
        Example(one.prompt_id, one.tree, one.pairs, reference_B=own)
        for one, own in zip(examples, sums_B.split(2), strict=True)
    ]
