"""Text whose likelihood is kept while a policy follows a reward (PPO-ptx, 2203.02155, eq. 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

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

    def loss(self, sums: Sums) -> Tensor:
        """coef times the mean over the answer tokens of the next batch of -log p."""
        batch = [self.examples[i] for i in self.batches.at(self.place)]
        self.place += 1
        total = sum(loss_sums(self.method, batch, {}), start=self._zero())
        mean = total / self.method.count(batch)
        add_sums(sums, {"pretraining_loss": (float(mean.detach()), 1.0)})
        return self.coef * mean

    def _zero(self) -> Tensor:
        weight = next(self.method.branches.parameters())
        return weight.new_zeros(())
