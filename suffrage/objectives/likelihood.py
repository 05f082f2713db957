"""Learning from demonstrations."""

from __future__ import annotations

from torch import Tensor


def sft_loss(logps_N: Tensor) -> Tensor:
    """Negative log-likelihood of each completion token: L_t = -log p(y_t | x, y_<t).

    logps_N: (N,) log-probabilities of the completion tokens, end token included.
    Returns (N,); the training loop sums it and divides by the number of tokens in the whole batch.
    """
    return -logps_N
