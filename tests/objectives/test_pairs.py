"""DPO and the accuracy of pairs, against values worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from suffrage.objectives.pairs import dpo_loss, pair_accuracy

FIGURES = st.floats(-50, 50)
LENGTH = 4.0  # tokens of the first answer


def tensors(*values: float) -> tuple[Tensor, ...]:
    return tuple(torch.tensor([value], dtype=torch.float64) for value in values)


def dpo(
    first: float, second: float, ref_first: float, ref_second: float, p: float, **options: float
):
    return dpo_loss(*tensors(first, second, ref_first, ref_second, p, LENGTH), **options)


def test_worked_value_with_the_default_beta():
    # h = .1 [(-4 + 4.4) - (-4.5 + 4.2)] = .07
    loss, first, second = dpo(-4, -4.5, -4.4, -4.2, 1)
    assert loss.item() == pytest.approx(0.658760, abs=1e-6)
    assert (first.item(), second.item()) == pytest.approx((0.04, -0.03))


def test_worked_value_with_every_constant_in_use():
    # h = .35 [(-3.7 + 4.1) - (-5.2 + 4.9)] = .14 + .105 = .245; p = .7 * .85 + .3 * .15 = .64
    # -.64 log sg(.245) - .36 log sg(-.245) = .64 * .578132 + .36 * .823132
    loss, first, second = dpo(-3.7, -5.2, -4.1, -4.9, 0.7, beta=0.35, label_smoothing=0.15)
    assert loss.item() == pytest.approx(0.64 * 0.578132 + 0.36 * 0.823132, abs=2e-6)
    assert (first.item(), second.item()) == pytest.approx((0.14, -0.105))


def test_the_nll_term_adds_the_mean_log_probability_of_the_first_answer():
    # .658760 as above, + .3 * 4 / 4 tokens; the second answer adds nothing
    loss, first, second = dpo(-4, -4.5, -4.4, -4.2, 1, nll=0.3)
    assert loss.item() == pytest.approx(0.658760 + 0.3, abs=1e-6)
    assert (first.item(), second.item()) == pytest.approx((0.04, -0.03))


def test_the_nll_term_counts_as_far_as_the_raters_agree():
    # p = .8: 2p - 1 = .6, so .6 * .3 * 4 / 4 is added; an even vote imitates neither answer
    for p, added in ((0.8, 0.18), (0.5, 0.0)):
        plain, with_nll = (dpo(-4, -4.5, -4.4, -4.2, p, nll=c)[0].item() for c in (0, 0.3))
        assert with_nll - plain == pytest.approx(added)


def test_conservative_dpo_keeps_a_share_of_the_opposite_label():
    # h = .07 again: -.9 log sg(.07) - .1 log sg(-.07) = .9 * .658760 + .1 * .728760
    loss, _, _ = dpo(-4, -4.5, -4.4, -4.2, 1, label_smoothing=0.1)
    assert loss.item() == pytest.approx(0.9 * 0.658760 + 0.1 * 0.728760, abs=1e-6)


def test_the_policy_equal_to_its_reference_pays_log_two():
    loss, first, second = dpo(-12.5, -3.25, -12.5, -3.25, 0.8, beta=0.6)
    assert loss.item() == pytest.approx(math.log(2))
    assert first.item() == second.item() == 0


@given(FIGURES, FIGURES, FIGURES, FIGURES, st.floats(0, 1))
def test_swapping_the_two_negates_the_margin_and_keeps_the_loss(a, b, ref_a, ref_b, p):
    loss, first, second = dpo(a, b, ref_a, ref_b, p, beta=0.3)
    swapped, swapped_first, swapped_second = dpo(b, a, ref_b, ref_a, 1 - p, beta=0.3)
    assert swapped.item() == pytest.approx(loss.item(), rel=1e-9, abs=1e-9)
    assert (swapped_first - swapped_second).item() == -(first - second).item()


@given(st.floats(-30, 30), st.floats(0.01, 0.49))
def test_an_even_vote_is_symmetric_and_smoothing_cannot_move_it(margin, smoothing):
    there = dpo(margin, 0, 0, 0, 0.5, beta=0.9)[0]
    back = dpo(-margin, 0, 0, 0, 0.5, beta=0.9)[0]
    smoothed = dpo(margin, 0, 0, 0, 0.5, beta=0.9, label_smoothing=smoothing)[0]
    assert there.item() == pytest.approx(back.item(), rel=1e-12)
    assert smoothed.item() == pytest.approx(there.item(), rel=1e-12)


@pytest.mark.parametrize("margin", [-1e4, 1e4])
def test_far_margins_stay_finite(margin):
    loss, _, _ = dpo(margin, 0, 0, 0, 0.9, beta=0.5)
    assert loss.item() == pytest.approx(0.5 * 1e4 * (0.9 if margin < 0 else 0.1))


def test_the_gradient_is_that_of_finite_differences_and_only_the_policys():
    generator = torch.Generator().manual_seed(3)
    policy = [torch.randn(4, dtype=torch.float64, generator=generator) for _ in range(2)]
    reference = [torch.randn(4, dtype=torch.float64, generator=generator) for _ in range(2)]
    p = torch.tensor([1.0, 0.0, 0.37, 0.5], dtype=torch.float64)
    length = torch.tensor([3.0, 7.0, 2.0, 5.0], dtype=torch.float64)

    def loss(first: Tensor, second: Tensor) -> Tensor:
        return dpo_loss(
            first, second, *reference, p, length, beta=0.7, label_smoothing=0.05, nll=0.4
        )[0]

    assert torch.autograd.gradcheck(loss, [x.requires_grad_() for x in policy])
    _, first, second = dpo_loss(*policy, *reference, p, length)
    assert not first.requires_grad
    assert not second.requires_grad


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
