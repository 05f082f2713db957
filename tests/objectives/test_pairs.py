"""DPO, its relatives and the accuracy of pairs, against values worked by hand.

The pair of most tests: S -3.7 and -5.2, Sref -4.1 and -4.9, 4 and 3 tokens, so that r is .4 and
-.3, and r / |y| is .1 and -.1. With beta .35 the margin is .245: -log sg(.245) = .578132 and
-log sg(-.245) = .823132.
"""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from suffrage.objectives.answers import Answers, PairTerms
from suffrage.objectives.pairs import (
    discopop_loss,
    dpo_loss,
    hinge_loss,
    ipo_loss,
    lndpo_loss,
    pair_accuracy,
    robust_dpo_loss,
)


def tensors(*values: float) -> tuple[Tensor, ...]:
    return tuple(torch.tensor([value], dtype=torch.float64) for value in values)


FIRST = Answers(*tensors(-3.7, -4.1, 4))
SECOND = Answers(*tensors(-5.2, -4.9, 3))
GOLDEN = Answers(*tensors(-4, -4.4, 4)), Answers(*tensors(-4.5, -4.2, 3))
(VOTES,) = tensors(0.7)
(ALL,) = tensors(1.0)


def figures(terms: PairTerms) -> tuple[float, float, float]:
    return tuple(term.item() for term in terms)


def test_dpo_worked_value_with_the_default_beta():
    # h = .1 [(-4 + 4.4) - (-4.5 + 4.2)] = .07
    loss, *rewards = figures(dpo_loss(*GOLDEN, ALL))
    assert loss == pytest.approx(0.658760, abs=1e-6)
    assert rewards == pytest.approx([0.04, -0.03])


def test_dpo_worked_value_with_every_constant_in_use():
    # h = .245; p = .7 * .85 + .3 * .15 = .64; the first is imitated by .4 * .2 * 3.7 / 4 = .074
    found = dpo_loss(FIRST, SECOND, VOTES, beta=0.35, label_smoothing=0.15, nll=0.2)
    loss, *rewards = figures(found)
    assert loss == pytest.approx(0.64 * 0.578132 + 0.36 * 0.823132 + 0.074, abs=2e-6)
    assert rewards == pytest.approx([0.14, -0.105])


@pytest.mark.parametrize("method", [dpo_loss, lndpo_loss])
@pytest.mark.parametrize(
    ("votes", "added"),
    [
        (1.0, 0.3 * 3.7 / 4),
        (0.8, 0.6 * 0.3 * 3.7 / 4),
        (0.5, 0.0),
        (0.2, 0.6 * 0.3 * 5.2 / 3),
    ],
)
def test_the_nll_term_imitates_the_preferred_answer_as_far_as_the_raters_agree(
    method, votes, added
):
    (p,) = tensors(votes)
    plain, with_nll = (method(FIRST, SECOND, p, nll=c).loss_P.item() for c in (0.0, 0.3))
    assert with_nll - plain == pytest.approx(added)


def test_the_policy_equal_to_its_reference_pays_log_two():
    same = Answers(*tensors(-12.5, -12.5, 6)), Answers(*tensors(-3.25, -3.25, 2))
    loss, *rewards = figures(dpo_loss(*same, VOTES, beta=0.6))
    assert loss == pytest.approx(math.log(2))
    assert rewards == [0, 0]


@given(st.floats(-30, 30), st.floats(0.01, 0.49))
def test_an_even_vote_is_symmetric_and_smoothing_cannot_move_it(ratio, smoothing):
    (even,) = tensors(0.5)
    one, other = Answers(*tensors(ratio - 2, -2, 5)), Answers(*tensors(-3, -3, 7))
    there, back = dpo_loss(one, other, even).loss_P, dpo_loss(other, one, even).loss_P
    smoothed = dpo_loss(one, other, even, label_smoothing=smoothing).loss_P
    assert there.item() == pytest.approx(back.item(), rel=1e-12)
    assert smoothed.item() == pytest.approx(there.item(), rel=1e-12)


def test_length_normalised_dpo_compares_the_log_ratio_of_a_mean_token():
    # h = 3.5 [.4 / 4 + .3 / 3] = .7; .7 log(1 + e^-.7) + .3 log(1 + e^.7)
    loss, *rewards = figures(lndpo_loss(FIRST, SECOND, VOTES, beta=3.5))
    assert loss == pytest.approx(0.7 * 0.403186 + 0.3 * 1.103186, abs=1e-6)
    assert rewards == pytest.approx([0.35, -0.35])
    # p = .7 * .85 + .3 * .15 = .64
    smoothed = lndpo_loss(FIRST, SECOND, VOTES, beta=3.5, label_smoothing=0.15).loss_P.item()
    assert smoothed == pytest.approx(0.64 * 0.403186 + 0.36 * 1.103186, abs=1e-6)


def test_robust_dpo_takes_the_flipped_share_off_the_loss():
    # L1(h) = (.8 * .578132 - .2 * .823132) / .6 = .496465, L1(-h) = .904799
    loss, *rewards = figures(robust_dpo_loss(FIRST, SECOND, VOTES, beta=0.35, flip_rate=0.2))
    assert loss == pytest.approx(0.7 * 0.496465 + 0.3 * 0.904799, abs=1e-6)
    assert rewards == pytest.approx([0.14, -0.105])


def test_over_flipped_labels_robust_dpo_is_dpo_on_the_true_ones():
    true, flipped = (
        robust_dpo_loss(FIRST, SECOND, p, beta=0.35, flip_rate=0.2).loss_P.item()
        for p in tensors(1.0, 0.0)
    )
    assert 0.8 * true + 0.2 * flipped == pytest.approx(0.578132, abs=1e-6)


def test_ipo_worked_values_summed_and_averaged():
    # summed: h = .4 + .3 = .7, (.7 - 5)^2; averaged: h = .1 + .1, (.2 - 5)^2
    assert ipo_loss(*GOLDEN, ALL).loss_P.item() == pytest.approx(18.49)
    assert ipo_loss(*GOLDEN, ALL, tokens="averaged").loss_P.item() == pytest.approx(23.04)


def test_ipo_with_every_constant_in_use():
    # 1 / (2 * .4) = 1.25: .7 (.7 - 1.25)^2 + .3 (.7 + 1.25)^2 = .7 * .3025 + .3 * 3.8025
    loss, *rewards = figures(ipo_loss(FIRST, SECOND, VOTES, beta=0.4))
    assert loss == pytest.approx(1.3525)
    assert rewards == pytest.approx([0.16, -0.12])
    # .7 (.2 - 1.25)^2 + .3 (.2 + 1.25)^2 = .7 * 1.1025 + .3 * 2.1025
    loss, *rewards = figures(ipo_loss(FIRST, SECOND, VOTES, beta=0.4, tokens="averaged"))
    assert loss == pytest.approx(1.4025)
    assert rewards == pytest.approx([0.04, -0.04])


def test_the_hinge_before_and_beyond_its_margin():
    # h = .245: .7 * .755 + .3 * 1.245
    loss, *rewards = figures(hinge_loss(FIRST, SECOND, VOTES, beta=0.35))
    assert loss == pytest.approx(0.902)
    assert rewards == pytest.approx([0.14, -0.105])
    # h = 2.5 * .7 = 1.75: the first is won, .3 * 2.75 remains
    assert hinge_loss(FIRST, SECOND, VOTES, beta=2.5).loss_P.item() == pytest.approx(0.825)


def test_discopop_blends_the_logistic_and_the_exponential_loss():
    # w = sg(.245 / .5) = .620106; e^-.245 = .782705, e^.245 = 1.277621
    # L1(h) = .379894 * .578132 + .620106 * .782705 = .704989
    # L1(-h) = .620106 * .823132 + .379894 * 1.277621 = .995790
    loss, *rewards = figures(discopop_loss(FIRST, SECOND, VOTES, beta=0.35, tau=0.5))
    assert loss == pytest.approx(0.7 * 0.704989 + 0.3 * 0.995790, abs=2e-6)
    assert rewards == pytest.approx([0.14, -0.105])


def test_discopop_is_logistic_far_below_its_passage_and_exponential_far_above():
    # |h| = .7 is 14 tau of .05 away: the weight of the other loss is e^-14 = 8.3e-7
    above, below = (
        discopop_loss(FIRST, SECOND, p, beta=1.0, tau=0.05).loss_P.item() for p in tensors(1.0, 0.0)
    )
    assert above == pytest.approx(math.exp(-0.7), abs=1e-6)
    assert below == pytest.approx(math.log1p(math.exp(0.7)), abs=2e-6)


@pytest.mark.parametrize(
    ("margin", "probability", "right"),
    [
        (0.2, 0.9, 1.0),
        (-0.2, 0.9, 0.0),
        (0.2, 0.3, 0.0),
        (-0.2, 0.3, 1.0),
        (0.0, 0.9, 0.5),
        (0.2, 0.5, 0.5),
        (0.0, 0.5, 0.5),
    ],
)
def test_accuracy_counts_a_tie_as_half_right(margin, probability, right):
    assert pair_accuracy(*tensors(margin, probability)).item() == right


def test_a_margin_that_rounding_explains_is_a_tie():
    margin = torch.tensor([9e-6, -9e-6, 2e-5, -2e-5])
    probability = torch.full((4,), 0.8)
    assert pair_accuracy(margin, probability).tolist() == [0.5, 0.5, 1.0, 0.0]
