"""The step of RAFT and best-of-n: of each prompt's answers, imitate the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from suffrage.data.encode import Branch, Tree
from suffrage.models.language_model import LanguageModel
from suffrage.models.processes import Processes
from suffrage.objectives.online import RAFTOptions, SamplingOptions
from suffrage.train.examples import Batches, Example
from suffrage.train.figures import Sums, add_sums, add_up, averages
from suffrage.train.offline import Method, loss_sums
from suffrage.train.optimiser import Metrics, Optimiser
from suffrage.train.rl.rollout import Roller, Rollout, seed_of
from suffrage.train.rl.tasks import Task

Winner = tuple[list[int], float]  # tokens, score


@dataclass
class ImitationStep:
    """A rollout, the best answer to each prompt, and supervised updates on these.

    trained: the model that imitates, which the roller's policy need not be. winners: the best
    answer so far, by the place of its task; a newer one must beat it.
    """

    roller: Roller
    tasks: Sequence[Task]
    batches: Batches
    optimiser: Optimiser
    options: SamplingOptions
    method: Method
    trained: LanguageModel
    seed: int
    winners: dict[int, Winner] = field(default_factory=dict)

    def __call__(self, step: int) -> Metrics:
        chosen = self.batches.at(step)
        rollout = self.roller([self.tasks[i] for i in chosen], seed_of(self.seed, step), chosen)
        self.roller.sampler.rewards.learn(rollout.scored.metrics)
        best = [self._winner(chosen[p], one) for p, one in best_of(rollout)]
        examples = [
            Example(self.tasks[i].prompt.id, Tree(self.tasks[i].tokens, (Branch(tokens),)))
            for i, (tokens, _) in best
        ]
        updated = self._imitate(examples, step)
        epoch = round((step + 1) / self.batches.per_epoch, 4)
        reward = sum(score for _, (_, score) in best) / len(best)
        return {"epoch": epoch, **rollout.metrics, "best_reward": reward, **updated}

    def _winner(self, task: int, found: Winner) -> tuple[int, Winner]:
        kept = self.winners.get(task)
        best = found if kept is None or found[1] > kept[1] else kept
        if isinstance(self.options, RAFTOptions) and self.options.winners == "kept":
            self.winners[task] = best
            return task, best
        return task, found

    @property
    def processes(self) -> Processes:
        return self.optimiser.processes

    def _imitate(self, examples: Sequence[Example], step: int) -> Metrics:
        updated: Metrics = {}
        sums: Sums = {}
        epochs = self.options.rollout_epochs if isinstance(self.options, RAFTOptions) else 1
        for _ in range(epochs):
            found: Sums = {}
            losses = loss_sums(self.method, examples, found, self.processes)
            count = self.method.count(examples)
            updated = self.optimiser.update(losses, count, lambda: f"at step {step + 1}")
            add_sums(sums, add_up(self.processes.gather(found)))
        return {**averages(sums), **updated}

    def evaluate(self, tasks: Sequence[Task]) -> Metrics:
        sampler = replace(self.roller.sampler, policy=self.trained)
        return replace(self.roller, sampler=sampler).evaluate(tasks, self.seed)

    def state(self) -> dict[str, Any]:
        winners = {str(task): list(winner) for task, winner in self.winners.items()}
        return {"winners": winners, "rewards": self.roller.sampler.rewards.state()}

    def restore(self, state: dict[str, Any]) -> None:
        kept = state["winners"].items()
        self.winners = {int(task): (list(tokens), score) for task, (tokens, score) in kept}
        self.roller.sampler.rewards.restore(state["rewards"])


def best_of(rollout: Rollout) -> list[tuple[int, Winner]]:
    """For each tree its task's place in the rollout and its best branch, with the score."""
    scored = rollout.scored
    found = []
    for number, tree in enumerate(rollout.trees):
        score_K = scored.of_tree(number)
        best = int(score_K.argmax())
        winner = (list(tree.branches[best].tokens), float(score_K[best]))
        found.append((scored.task_P[number], winner))
    return found
