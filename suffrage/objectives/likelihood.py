"""Learning from demonstrations, and from answers that are told apart by what stands before them."""

from __future__ import annotations

import torch
from torch import Tensor

from suffrage.objectives.answers import Answers


def sft_loss(answers: Answers) -> Tensor:
    """Negative log-likelihood of each completion: L = -S = -sum_t log p(y_t | x, y_<t).

    answers: (B,). Returns (B,), in nats; the training loop sums it and divides by the number of
    tokens in the whole batch, so that every token counts the same.
    """
    return -answers.logp


def conditional_loss(
    answers: Answers, quality_B: Tensor, *, middling_weight: float = 1.0, bad_weight: float = 1.0
) -> Tensor:
    """Likelihood of each completion behind the name of its class c (C-RLFT, 2309.11235):

        L = -w_c S        w_good = 1

    answers: (B,), whose prompts end with the name of the class. quality_B: 1 good, 0.5 middling, 0
    bad. Returns (B,), in nats; the training loop sums it and divides by the number of tokens in the
    whole batch. The paper's weights are exp(r_c / beta) for a reward r_c of the class; with weights
    of 1 this is behaviour cloning told the outcome, as in Decision Transformer (2106.01345).
    """
    middling_B = torch.where(quality_B > 0, middling_weight, bad_weight)
    weight_B = torch.where(quality_B >= 1, 1.0, middling_B)
    return -weight_B.to(answers.logp) * answers.logp
