"""Learning from demonstrations."""

from __future__ import annotations

from torch import Tensor

from suffrage.objectives.answers import Answers


def sft_loss(answers: Answers) -> Tensor:
    """Negative log-likelihood of each completion: L = -S = -sum_t log p(y_t | x, y_<t).

    answers: (B,). Returns (B,), in nats; the training loop sums it and divides by the number of
    tokens in the whole batch, so that every token counts the same.
    """
    return -answers.logp
