"""Ratings under proportional odds, against values worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from suffrage.objectives.ordinal import (
    free_parameters,
    increasing_cutpoints,
    marginal_cutpoints,
    rating_accuracy,
    rating_loss,
)


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


CUTPOINTS = column(-1.1, 0.4, 2.3)


@pytest.mark.parametrize(
    ("rating", "expected"),
    [
        (1, 1.952978),  # -log sg(-1.8)
        (2, 1.259815),  # -log(sg(-.3) - sg(-1.8)) = -log(.425557 - .141851)
        (3, 0.900268),  # -log(sg(1.6) - sg(-.3)) = -log(.832018 - .425557)
        (4, 1.783901),  # -log sg(-1.6)
    ],
)
def test_a_rating_falls_between_its_cutpoints(rating, expected):
    loss = rating_loss(column(0.7), torch.tensor([rating]), CUTPOINTS, centring=0.05)
    assert loss.item() == pytest.approx(expected + 0.05 * 0.49, abs=2e-6)


@given(st.floats(-30, 30), st.floats(-9, 9))
def test_the_probabilities_of_all_ratings_add_up_to_one_and_know_no_zero(score, shift):
    score_B, rating_B = column(score).expand(4), torch.arange(1, 5)
    loss_B = rating_loss(score_B, rating_B, CUTPOINTS)
    assert (-loss_B).exp().sum().item() == pytest.approx(1)
    moved_B = rating_loss(score_B + shift, rating_B, CUTPOINTS + shift)
    assert moved_B.tolist() == pytest.approx(loss_B.tolist(), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("rating", [0, 5])
def test_a_rating_outside_the_cutpoints_is_refused(rating):
    with pytest.raises(IndexError):
        rating_loss(column(0.7), torch.tensor([rating]), CUTPOINTS)


def test_cutpoints_increase_by_softplus_of_what_is_free():
    # log(1 + e^.4) = .913015, log(1 + e^-1.3) = .241008
    found = increasing_cutpoints(column(-0.7, 0.4, -1.3))
    first, second = -0.7 + 0.913015 + 0.001, 0.241008 + 0.001
    assert found.tolist() == pytest.approx([-0.7, first, first + second], abs=2e-6)


def test_cutpoints_increase_even_where_softplus_vanishes_in_single_precision():
    raw = torch.tensor([3.0, -200, -200, 200, -200, -200]).requires_grad_()
    cutpoints = increasing_cutpoints(raw)
    loss_B = rating_loss(torch.zeros(7), torch.arange(1, 8), cutpoints)
    loss_B.sum().backward()
    assert (cutpoints.diff() > 0).all()
    assert loss_B.isfinite().all()
    assert raw.grad is not None
    assert raw.grad.isfinite().all()


def test_the_likeliest_rating_is_the_accurate_one():
    # At r = .7 the chances are .141851, .283706, .406461 and .167982
    right_B = rating_accuracy(column(0.7).expand(4), torch.arange(1, 5), CUTPOINTS)
    assert right_B.tolist() == [0, 0, 1, 0]
    far_B = rating_accuracy(column(-50, 50, -50), torch.tensor([1, 4, 2]), CUTPOINTS)
    assert far_B.tolist() == [1, 1, 0]


def test_free_parameters_give_the_cutpoints_back():
    found = increasing_cutpoints(free_parameters(CUTPOINTS))
    assert found.tolist() == pytest.approx(CUTPOINTS.tolist(), abs=1e-9)
    close = increasing_cutpoints(free_parameters(column(0.3, 0.3 + 1e-9, 4)))
    assert close.tolist() == pytest.approx([0.3, 0.302, 4.001], abs=2e-3)
    assert (close.diff() > 0).all()


def test_the_first_cutpoints_rate_an_average_answer_as_all_answers_are_rated():
    # 3, 0, 5 and 1 ratings and half a one each: 3.5, .5, 5.5 and 1.5 of 11
    cutpoints = marginal_cutpoints(torch.tensor([3, 0, 5, 1]))
    expected = [math.log(part / (11 - part)) for part in (3.5, 4.0, 9.5)]
    assert cutpoints.tolist() == pytest.approx(expected, abs=1e-6)
    loss_B = rating_loss(torch.zeros(4), torch.arange(1, 5), cutpoints)
    assert (-loss_B).exp().tolist() == pytest.approx([3.5 / 11, 0.5 / 11, 0.5, 1.5 / 11], abs=1e-6)
