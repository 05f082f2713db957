"""What the objectives read: completions as log-probabilities under the policy and the reference.

Shape letters: P pairs, B single completions, G groups of up to K completions each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


@dataclass(frozen=True)
class Answers:
    """Completions as an objective sees them; the fields share one shape: (P,), (B,) or (G, K)."""

    logp: Tensor  # S: summed log-probability of a completion's tokens, end token included
    reference: Tensor  # Sref: the same under the reference; 0 where the method has none
    length: Tensor  # |y|: tokens in the sum

    def at(self, index: Tensor) -> Answers:
        """The answers at these places, in the index's shape."""
        return Answers(self.logp[index], self.reference[index], self.length[index])

    @property
    def mean(self) -> Tensor:
        """S / |y|: the mean log-probability of a token."""
        return self.logp / self.length

    @property
    def ratio(self) -> Tensor:
        """S - Sref: how much likelier than under the reference, in nats."""
        return self.logp - self.reference


class PairTerms(NamedTuple):
    """Of each pair: the loss, and what the method takes for the reward of either completion."""

    loss_P: Tensor
    reward_first_P: Tensor  # detached, for the log
    reward_second_P: Tensor
