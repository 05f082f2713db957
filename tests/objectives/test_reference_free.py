"""Pair objectives without a reference, against values worked by hand; junk as the reference."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from suffrage.objectives.answers import Answers, PairTerms
from suffrage.objectives.reference_free import (
    cpo_loss,
    log_odds,
    orpo_loss,
    simpo_loss,
    slic_loss,
)

JUNK = float("nan")


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def answer(logp: float, length: float) -> Answers:
    return Answers(column(logp), column(JUNK), column(length))


def figures(terms: PairTerms) -> tuple[float, float, float]:
    return tuple(term.item() for term in terms)


# m: -.9 and -.5
SHORT = answer(-3.6, 4), answer(-1.5, 3)
# S: -3.7 and -5.2, m: -.925 and -1.733333
LONG = answer(-3.7, 4), answer(-5.2, 3)
VOTES = column(0.7)


def test_orpo_worked_value():
    # m -1 and -1.5: the odds ratio's term is .401135
    loss = orpo_loss(answer(-4, 4), answer(-4.5, 3), column(1.0), odds_weight=0.3).loss_P
    assert loss.item() == pytest.approx(1 + 0.3 * 0.401135, abs=1e-6)


def test_orpo_with_every_constant_in_use():
    # lo_first = -.9 - ln(1 - .406570) = -.378164, lo_second = -.5 - ln(1 - .606531) = .432753
    # d = -.810917: -log sg(d) = 1.178646, -log sg(-d) = .367729
    loss, *rewards = figures(orpo_loss(*SHORT, VOTES, odds_weight=0.25))
    first, second = 0.9 + 0.25 * 1.178646, 0.5 + 0.25 * 0.367729
    assert loss == pytest.approx(0.7 * first + 0.3 * second, abs=2e-6)
    assert rewards == pytest.approx([-0.378164, 0.432753], abs=2e-6)


@pytest.mark.parametrize(
    ("mean", "odds"),
    [
        # m = -x: log(e^m / (1 - e^m)) = -log(e^x - 1), and e^x - 1 = x (1 + x / 2 + ...)
        (-1e-9, 9 * math.log(10) - 0.5e-9),
        (-1e-3, 3 * math.log(10) - math.log(1.000500166708)),
        (-math.log(2), 0.0),
        (-math.log(3), -math.log(2)),
        (-200.0, -200.0),
    ],
)
def test_log_odds_keep_their_digits_near_and_far(mean, odds):
    assert log_odds(column(mean)).item() == pytest.approx(odds, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("mean", [-1e-9, -0.3, -math.log(2) - 1e-3, -math.log(2) + 1e-3, -200.0])
def test_the_gradient_of_the_log_odds_is_one_over_the_probability_of_not(mean):
    mean_P = column(mean).requires_grad_()
    log_odds(mean_P).backward()
    assert mean_P.grad.item() == pytest.approx(-1 / math.expm1(mean), rel=1e-9)


@pytest.mark.parametrize("sure", [0.0, -1e-9, -1e-30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_orpo_survives_an_answer_that_is_certain(sure, dtype):
    logp = torch.tensor([sure, -7.0], dtype=dtype, requires_grad=True)
    other = torch.tensor([-7.0, sure], dtype=dtype, requires_grad=True)
    length = torch.tensor([3.0, 4.0], dtype=dtype)
    first, second = Answers(logp, logp.detach(), length), Answers(other, other.detach(), length)
    loss = orpo_loss(first, second, torch.tensor([0.8, 0.8], dtype=dtype)).loss_P
    loss.sum().backward()
    assert loss.isfinite().all()
    assert logp.grad.isfinite().all()
    assert other.grad.isfinite().all()
    # the surer the rejected answer, the higher the loss
    assert loss[1] > loss[0]


def test_simpo_worked_value():
    # m -1 and -1.5, beta 2, gamma .5 * 2 = 1: d - gamma = 0
    loss = simpo_loss(answer(-4, 4), answer(-4.5, 3), column(1.0), gamma_ratio=0.5).loss_P
    assert loss.item() == pytest.approx(0.693147, abs=1e-6)


def test_simpo_with_every_constant_in_use():
    # d = 1.5 * (-.9 + .5) = -.6, gamma = .3 * 1.5 = .45: -log sg(-1.05) = 1.350059,
    # -log sg(.6 - .45) = .620957
    loss, *rewards = figures(simpo_loss(*SHORT, VOTES, beta=1.5, gamma_ratio=0.3))
    assert loss == pytest.approx(0.7 * 1.350059 + 0.3 * 0.620957, abs=2e-6)
    assert rewards == pytest.approx([-1.35, -0.75])


def test_cpo_imitates_the_whole_answer_or_its_mean_token():
    # d = .35 * 1.5 = .525: -log sg(d) = .464712, -log sg(-d) = .989712
    loss, *rewards = figures(cpo_loss(*LONG, VOTES, beta=0.35, nll=0.6))
    assert loss == pytest.approx(0.7 * (0.464712 + 2.22) + 0.3 * (0.989712 + 3.12), abs=2e-6)
    assert rewards == pytest.approx([-1.295, -1.82])
    averaged = cpo_loss(*LONG, VOTES, beta=0.35, nll=0.6, nll_tokens="averaged").loss_P.item()
    assert averaged == pytest.approx(0.7 * (0.464712 + 0.555) + 0.3 * (0.989712 + 1.04), abs=2e-6)


def test_slic_before_and_beyond_its_margin():
    # S differ by 1.5. delta 2.5: .7 (1 + .6 * 3.7) + .3 (4 + .6 * 5.2)
    loss, *rewards = figures(slic_loss(*LONG, VOTES, delta=2.5, nll=0.6))
    assert loss == pytest.approx(0.7 * 3.22 + 0.3 * 7.12)
    assert rewards == pytest.approx([-3.7, -5.2])
    # delta .8 is passed: .7 (0 + 2.22) + .3 (2.3 + 3.12)
    loss = slic_loss(*LONG, VOTES, delta=0.8, nll=0.6).loss_P.item()
    assert loss == pytest.approx(0.7 * 2.22 + 0.3 * 5.42)
