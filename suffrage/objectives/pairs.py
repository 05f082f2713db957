"""Learning from pairs of completions."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid


def dpo_loss(
    policy_first_P: Tensor,
    policy_second_P: Tensor,
    reference_first_P: Tensor,
    reference_second_P: Tensor,
    probability_P: Tensor,
    length_first_P: Tensor,
    *,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
    nll: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Direct preference optimisation (2305.18290, eq. 7) with soft labels.

        h = beta [(S_first - Sref_first) - (S_second - Sref_second)]
        L = -p log sigmoid(h) - (1 - p) log sigmoid(-h)

    S is a completion's summed log-probability, p the share of raters who prefer the first; p = 1
    is the paper's loss. `label_smoothing` e moves p to p (1 - e) + (1 - p) e (conservative DPO).
    `nll` c adds -c max(0, 2p - 1) S_first / |y_first| (2404.19733, eq. 2, times how far the
    raters agree, so that a tie imitates neither): DPO alone may lower the probability of
    both answers, and a model that lost its language cannot say what it prefers.

    All tensors have shape (P,). Returns losses and the implicit rewards beta (S - Sref) of first
    and second; gradients reach the policy's log-probabilities alone.
    """
    reward_first_P = beta * (policy_first_P - reference_first_P)
    reward_second_P = beta * (policy_second_P - reference_second_P)
    margin_P = reward_first_P - reward_second_P
    p_P = probability_P * (1 - label_smoothing) + (1 - probability_P) * label_smoothing
    loss_P = -p_P * logsigmoid(margin_P) - (1 - p_P) * logsigmoid(-margin_P)
    loss_P = loss_P - nll * (2 * probability_P - 1).clamp(min=0) * policy_first_P / length_first_P
    return loss_P, reward_first_P.detach(), reward_second_P.detach()


def pair_accuracy(margin_P: Tensor, probability_P: Tensor) -> Tensor:
    """(P,): 1 where the margin's sign is the raters', 1/2 where either says tie, else 0."""
    agreement_P = margin_P.sign() * (probability_P - 0.5).sign()
    return (agreement_P + 1) / 2
