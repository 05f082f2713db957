"""The smallest cases, where a count of one or a length of one shows what larger ones hide."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from suffrage.objectives.answers import Answers
from suffrage.objectives.labels import bco_loss, kto_loss
from suffrage.objectives.likelihood import conditional_loss
from suffrage.objectives.ordinal import rating_accuracy
from suffrage.objectives.ppo import gae
from suffrage.objectives.rankings import pro_loss, rrhf_loss
from suffrage.objectives.rewards import plackett_luce_reward_loss


def tensor(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def answers(*ratios: float) -> Answers:
    """Answers with these log-ratios to the reference."""
    reference = torch.full((len(ratios),), -3.3, dtype=torch.float64)
    return Answers(reference + tensor(*ratios), reference, torch.full_like(reference, 4))


def test_answers_at_places_keep_their_three_figures_together():
    found = Answers(tensor(-1.1, -2.2, -3.3), tensor(-4.4, -5.5, -6.6), tensor(7, 8, 9))
    taken = found.at(torch.tensor([[2, 0], [1, 2]]))
    assert taken.logp.tolist() == [[-3.3, -1.1], [-2.2, -3.3]]
    assert taken.reference.tolist() == [[-6.6, -4.4], [-5.5, -6.6]]
    assert taken.length.tolist() == [[9, 7], [8, 9]]


def test_one_mismatched_answer_is_the_whole_estimate_of_kto():
    """z0 = .6; beta (r - z0) = .3 (.5 - .6) = -.03; the loss is 1 - sg(-.03)."""
    found = kto_loss(answers(0.5), tensor(1), answers(0.6), beta=0.3)
    assert found.loss_B.item() == pytest.approx(1 - 1 / (1 + math.exp(0.03)), rel=1e-12)


def test_one_answer_of_a_kind_is_that_kind_s_mean_in_bco():
    """Rewards .15 and -.12, -.21: delta = (.15 - .165) / 2 = -.0075."""
    found = bco_loss(answers(0.5, -0.4, -0.7), tensor(1, 0, 0), beta=0.3)
    expected = [math.log1p(math.exp(x)) for x in (-0.1575, -0.1125, -0.2025)]
    assert found.loss_B.tolist() == pytest.approx(expected, rel=1e-12)


def test_weights_of_classes_keep_the_precision_of_the_log_probabilities():
    logp = torch.tensor([-2.75, -2.5, -2.25], dtype=torch.bfloat16)
    found = conditional_loss(
        Answers(logp, logp, logp), tensor(1, 0.5, 0), middling_weight=0.25, bad_weight=0.75
    )
    assert found.dtype == torch.bfloat16
    assert found.tolist() == [2.75, 0.625, 1.6875]


def test_the_accuracy_of_ratings_is_a_number_that_can_be_averaged():
    found = rating_accuracy(tensor(-2.3, 1.9), torch.tensor([1, 2]), tensor(-0.4, 0.9))
    assert found.dtype == torch.float64
    assert found.mean().item() == 0.5


def test_an_answer_of_one_token_has_the_advantage_of_its_score():
    """A = R - V, since nothing follows; the return is A + V = R."""
    advantages, returns = gae(
        tensor(0.7)[None], tensor(0.4)[None], tensor(1)[None], gamma=0.9, lam=0.8
    )
    assert advantages.item() == pytest.approx(0.3, rel=1e-12)
    assert returns.item() == pytest.approx(0.7, rel=1e-12)


JUNK = math.nan
# four ranked answers beside two that tie, and room for two more
FOUR_AND_A_TIE = Answers(
    torch.tensor([[-4.2, -2.6, -3.1, -5.3], [-1.7, -2.9, JUNK, JUNK]], dtype=torch.float64),
    torch.zeros(2, 4, dtype=torch.float64),
    torch.tensor([[4.0, 3.0, 2.0, 6.0], [2.0, 5.0, JUNK, JUNK]], dtype=torch.float64),
)
WORTH = torch.tensor([[2.3, 1.1, 0.4, -0.7], [0.6, 0.6, JUNK, JUNK]], dtype=torch.float64)
REAL = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]], dtype=torch.float64)


def test_imitation_in_pro_grows_with_the_square_of_an_answer_s_rivals():
    """c (n - 1)^2 (-S of the best) with n = 4: .07 * 9 * 4.2; with n = 3, 2^2 is also 2 * 2."""
    without = pro_loss(FOUR_AND_A_TIE, WORTH, REAL, imitation=0.0)
    found = pro_loss(FOUR_AND_A_TIE, WORTH, REAL, imitation=0.07)
    assert (found - without).tolist() == pytest.approx([2.646, 0], rel=1e-9)


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_a_tie_teaches_nothing_beside_a_group_that_is_decided(variant):
    decided, tied = pro_loss(FOUR_AND_A_TIE, WORTH, REAL, imitation=0.3, variant=variant).tolist()
    assert decided > 1
    assert tied == 0
    decided, tied = rrhf_loss(FOUR_AND_A_TIE, WORTH, REAL, imitation=0.3).tolist()
    assert decided > 1
    assert tied == 0


def test_rewards_are_centred_group_by_group_whatever_their_sizes():
    """(2 mean)^2 of (1.7 - .4 + .9) / 3, of (.6 + .2) / 2 and of .8 alone, times .3."""
    scores = torch.tensor(
        [[1.7, -0.4, 0.9], [0.6, 0.2, JUNK], [0.8, JUNK, JUNK]], dtype=torch.float64
    )
    worth = torch.tensor([[2.0, 1.0, 3.0]] * 3, dtype=torch.float64)
    real = torch.tensor([[1.0, 1, 1], [1, 1, 0], [1, 0, 0]], dtype=torch.float64)
    without = plackett_luce_reward_loss(scores, worth, real, centring=0.0)
    found = plackett_luce_reward_loss(scores, worth, real, centring=0.3) - without
    assert found.tolist() == pytest.approx([0.3 * 4.84 * 4 / 9, 0.192, 0.768], rel=1e-12)
