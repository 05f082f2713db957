"""KTO and BCO, against values worked by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from suffrage.objectives.answers import Answers
from suffrage.objectives.labels import balanced_weights, bco_loss, kto_loss


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def answers(logp: Tensor, reference: Tensor) -> Answers:
    return Answers(logp, reference, torch.full_like(logp, float("nan")))  # no length is read


LABELLED = answers(column(-3.7, -5.2, -2.9), column(-4.1, -4.9, -3.1))  # S - Sref: .4, -.3, .2
DESIRABLE = column(1, 0, 0.6)
AHEAD = answers(column(-8.0, -6.0), column(-8.3, -6.2))  # .3, .2
BEHIND = answers(column(-8.3, -6.2), column(-8.0, -6.0))
NONE = answers(column(), column())


def test_kto_worked_by_hand_with_every_constant_in_use():
    # z0 = .25; beta (r - z0): .0525, -.1925, -.0175; sg(-.0525) = .486878, sg(-.1925) = .452023,
    # sg(.0175) = .504375 as desirable and .495625 as undesirable, shared .6 to .4
    loss_B, reward_B = kto_loss(
        LABELLED, DESIRABLE, AHEAD, beta=0.35, desirable_weight=1.3, undesirable_weight=0.7
    )
    shared = 0.6 * 1.3 * 0.504375 + 0.4 * 0.7 * 0.495625
    expected = [1.3 * 0.486878, 0.7 * 0.452023, shared]
    assert loss_B.tolist() == pytest.approx(expected, abs=2e-6)
    assert reward_B.tolist() == pytest.approx([0.14, -0.105, 0.07])


@pytest.mark.parametrize("mismatched", [BEHIND, NONE])
def test_kto_measures_from_zero_where_the_policy_has_not_moved_ahead(mismatched):
    # beta r: .14, -.105, .07
    loss_B, _ = kto_loss(LABELLED, DESIRABLE, mismatched, beta=0.35)
    expected = [0.465057, 0.473774, 0.6 * 0.482507 + 0.4 * 0.517493]
    assert loss_B.tolist() == pytest.approx(expected, abs=1e-6)


def test_no_gradient_passes_through_the_reference_point():
    labelled, behind = (column(-3.7, -5.2).requires_grad_() for _ in range(2))
    z0 = answers(behind, column(-4.1, -5.9))
    kto_loss(answers(labelled, column(-4.0, -5.0)), column(1, 0), z0).loss_B.sum().backward()
    assert labelled.grad is not None
    assert (labelled.grad != 0).all()
    assert behind.grad is None


def test_bco_worked_by_hand_with_every_constant_in_use():
    # r: .14, -.105, .07; means (.14 + .6 * .07) / 1.6 = .11375, (-.105 + .4 * .07) / 1.4 = -.055;
    # delta = .029375; r - delta: .110625, -.134375, .040625
    loss_B, reward_B = bco_loss(LABELLED, DESIRABLE, beta=0.35)
    expected = [0.639364, 0.628215, 0.6 * 0.673041 + 0.4 * 0.713666]
    assert loss_B.tolist() == pytest.approx(expected, abs=2e-6)
    assert reward_B.tolist() == pytest.approx([0.14, -0.105, 0.07])


@pytest.mark.parametrize(("label", "sign"), [(1.0, 1), (0.0, -1)])
def test_bco_with_labels_of_one_kind_measures_from_their_mean(label, sign):
    # r: .14, -.07, mean .035; r - delta: .105, -.105; -log sg(.105) = .642025
    labelled = answers(column(-3.7, -5.2), column(-4.1, -5.0))
    loss_B, _ = bco_loss(labelled, torch.full((2,), label), beta=0.35)
    expected = [0.642025, 0.642025 + 0.105][::sign]
    assert loss_B.tolist() == pytest.approx(expected, abs=1e-6)


def test_bco_does_not_change_when_all_rewards_shift():
    shifted = answers(LABELLED.logp + 37.5, LABELLED.reference)
    loss_B, _ = bco_loss(LABELLED, DESIRABLE, beta=0.35)
    assert bco_loss(shifted, DESIRABLE, beta=0.35).loss_B.tolist() == pytest.approx(loss_B.tolist())


def test_bco_gives_no_gradient_to_the_shift():
    # As if delta = .029375 were given: dL/dS = -beta sg(delta - r) if desirable
    logp = LABELLED.logp.clone().requires_grad_()
    bco_loss(answers(logp, LABELLED.reference), DESIRABLE, beta=0.35).loss_B[0].backward()
    assert logp.grad is not None
    assert logp.grad.tolist() == pytest.approx([-0.35 * 0.472372, 0, 0], abs=1e-6)


def test_gradients_are_those_of_finite_differences_where_the_point_is_held():
    logp = LABELLED.logp.clone().requires_grad_()

    def kto(logp: Tensor) -> Tensor:
        return kto_loss(
            answers(logp, LABELLED.reference),
            DESIRABLE,
            AHEAD,
            beta=0.35,
            desirable_weight=1.3,
            undesirable_weight=0.7,
        ).loss_B

    def bco(move: Tensor) -> Tensor:  # one up, one down of the same kind: delta stays
        labelled = answers(column(-3.7, -5.2) + torch.cat([move, -move]), column(-4.1, -4.9))
        return bco_loss(labelled, column(1, 1), beta=0.35).loss_B

    assert torch.autograd.gradcheck(kto, [logp])
    assert torch.autograd.gradcheck(bco, [column(0.3).requires_grad_()])


@pytest.mark.parametrize("far", [-200.0, 200.0])
def test_far_log_ratios_stay_finite(far):
    logp = column(far, -far, 0.3).requires_grad_()
    one = answers(logp, column(0, 0, 0))
    total = kto_loss(one, DESIRABLE, one, beta=5).loss_B + bco_loss(one, DESIRABLE, beta=5).loss_B
    total.sum().backward()
    assert logp.grad is not None
    assert total.isfinite().all()
    assert logp.grad.isfinite().all()


@pytest.mark.parametrize(
    ("desirable", "undesirable", "weights"),
    [
        (20, 200, (10, 1)),  # the paper's example: 1 to 10 asks for 10 to 13.33
        (300, 100, (1, 2.25)),  # 300 / (2.25 * 100) = 4/3
        (120, 100, (1, 1)),  # within the range as it is
        (100, 100, (1, 1)),
        (7, 0, (1, 1)),
        (0, 7, (1, 1)),
    ],
)
def test_weights_bring_the_two_kinds_into_the_range_of_the_paper(desirable, undesirable, weights):
    assert balanced_weights(desirable, undesirable) == pytest.approx(weights)
