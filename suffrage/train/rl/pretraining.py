"""Text whose likelihood is kept while a policy follows a reward (PPO-ptx, 2203.02155, eq. 2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from suffrage.models.processes import Processes
from suffrage.train.examples import Batches, Example
from suffrage.train.figures import Sums, add_sums
from suffrage.train.offline import Method, loss_sums


@dataclass
class Pretraining:
    """One batch of demonstrations an update, in an order known from the seed and the place.

    coef: weight of its mean loss a token. place: batches read so far.
    """

    examples: Sequence[Example]
    batches: Batches
    method: Method
    coef: float
    place: int = 0

    def losses(self, factor: float, sums: Sums, processes: Processes) -> Iterator[Tensor]:
        """What adds up, over all processes, to factor times coef times the mean of -log p over the
        answer tokens of the next batch, one a micro-batch."""
        batch = [self.examples[i] for i in self.batches.at(self.place)]
        self.place += 1
        count = self.method.count(batch)
        for loss_sum in loss_sums(self.method, batch, {}, processes):
            add_sums(sums, {"pretraining_loss": (float(loss_sum.detach()) / count, 0.0)})
            yield factor * self.coef / count * loss_sum
        add_sums(sums, {"pretraining_loss": (0.0, float(processes.main))})
