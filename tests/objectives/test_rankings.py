"""Ranking objectives against values worked by hand, with junk in the padding."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from suffrage.objectives.answers import Answers
from suffrage.objectives.rankings import (
    listwise_dpo_loss,
    plackett_luce_nll,
    pro_loss,
    rrhf_loss,
)

JUNK = [1e9, -1e9, float("inf"), float("nan")]
Loss = Callable[[Answers, Tensor, Tensor], Tensor]
LOSSES: dict[str, Loss] = {
    "rrhf": lambda *group: rrhf_loss(*group, alpha=0.7, imitation=0.3),
    "rrhf-token": lambda *group: rrhf_loss(*group, imitation=0.3, imitation_tokens="averaged"),
    "pro": lambda *group: pro_loss(*group, imitation=0.07),
    "pro-released": lambda *group: pro_loss(*group, imitation=0.07, variant="released"),
    "listwise-dpo": lambda *group: listwise_dpo_loss(*group, beta=0.35).loss_G,
    "plackett-luce": lambda answers, *rest: plackett_luce_nll(answers.logp, *rest),
}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def answers(logp: Tensor, length: Tensor, reference: Tensor | None = None) -> Answers:
    unread = torch.full_like(logp, float("nan"))
    return Answers(logp, unread if reference is None else reference, length)


def whole(like: Tensor) -> Tensor:
    return torch.ones_like(like)


LOGP, LENGTH = row(-3.0, -3.9, -2.0), row(4, 9, 16)
REFERENCE = row(-3.3, -3.1, -2.6)
WORTH = row(2.5, 0.7, -1.2)
GOLDEN = answers(row(-4.0, -4.0, -4.5), row(4, 5, 3)), row(1, 0.5, 0), torch.ones(1, 3)


def of_ranked(loss: Loss, logp: Tensor, worth: Tensor = WORTH) -> Tensor:
    return loss(answers(logp, LENGTH, REFERENCE), worth, whole(worth))


def test_published_check_of_rrhf():
    assert rrhf_loss(*GOLDEN, imitation=0).item() == pytest.approx(0.2)
    assert rrhf_loss(*GOLDEN).item() == pytest.approx(4.2)


def test_rrhf_worked_by_hand_with_every_constant_in_use():
    # p = S / |y|^.5 = -1.5, -1.3, -.5; wrong by .2, 1.0 and .8; the best is imitated: .3 * 3
    group = answers(LOGP, LENGTH), WORTH, whole(WORTH)
    assert rrhf_loss(*group, alpha=0.5, imitation=0.3).item() == pytest.approx(2.9)
    found = rrhf_loss(*group, alpha=0.5, imitation=0.3, imitation_tokens="averaged")
    assert found.item() == pytest.approx(2.0 + 0.3 * 0.75)


def test_rrhf_with_ties_imitates_the_best_on_average():
    # only the second is worth less: .2 by the first, right by the third; S: 3 and 2, mean 2.5
    group = answers(LOGP, LENGTH), row(2.5, 0.7, 2.5), whole(WORTH)
    assert rrhf_loss(*group, alpha=0.5, imitation=0.3).item() == pytest.approx(0.2 + 0.3 * 2.5)


def test_published_check_of_pro():
    assert pro_loss(*GOLDEN, imitation=0).item() == pytest.approx(1.765549, abs=1e-6)
    assert pro_loss(*GOLDEN).item() == pytest.approx(2.565549, abs=1e-6)
    assert pro_loss(*GOLDEN, variant="released").item() == pytest.approx(2.565549, abs=1e-6)


PRO = answers(row(-3.0, -3.6, -2.4), row(4, 9, 3))  # m = -.75, -.4, -.8


def test_pro_worked_by_hand_with_every_constant_in_use():
    # first: 1/T = 1.8 and 3.7, its own 3.7: log(e^-2.775 + e^-.72 + e^-2.96) + 2.775
    #      = log(.062349 + .486752 + .051819) + 2.775 = 2.265708
    # second: log(e^(1.9 * -.4) + e^(1.9 * -.8)) + .76 = log(1 + e^-.76) = .383674
    # imitation: .07 (3 - 1)^2 * 3.0 = .84
    found = pro_loss(PRO, WORTH, whole(WORTH), imitation=0.07)
    assert found.item() == pytest.approx(2.265708 + 0.383674 + 0.84, abs=2e-6)


@pytest.mark.parametrize(
    ("worth", "paper", "released", "imitated"),
    [
        # first: 1/T = 1.8: log(e^-1.35 + e^-.72 + e^-1.44) + 1.35; then, released: log(e^0 + e^0)
        ((2.5, 0.7, 0.7), 1.332773, 1.332773 + 0.693147, 3.0),
        # paper: log(1 + e^(1.9 * -.05)) and .383674 as above
        # released: log(e^-1.425 + e^0 + e^-1.52) + 1.425 for the first, which stands before
        ((0.7, 0.7, -1.2), 0.646775 + 0.383674, 1.802902 + 0.383674, 3.3),
    ],
)
def test_ties_in_pro_are_left_out_by_the_paper_and_add_one_in_the_released_code(
    worth, paper, released, imitated
):
    group = PRO, row(*worth), whole(WORTH)
    sft = 0.07 * 4 * imitated
    assert pro_loss(*group, imitation=0.07).item() == pytest.approx(paper + sft, abs=2e-6)
    found = pro_loss(*group, imitation=0.07, variant="released")
    assert found.item() == pytest.approx(released + sft, abs=2e-6)


def test_the_released_pro_loses_unlikely_answers_in_its_epsilon_and_the_paper_does_not():
    # m = -30, -31 and 1/T = 1.9: e^-57 + e^-58.9 is nothing beside 1e-10, so -23.025851 + 57
    group = answers(row(-120.0, -93.0), row(4, 3)), row(0.7, -1.2), torch.ones(1, 2)
    assert pro_loss(*group, imitation=0).item() == pytest.approx(math.log1p(math.exp(-1.9)))
    found = pro_loss(*group, imitation=0, variant="released")
    assert found.item() == pytest.approx(57 - 23.025851, abs=1e-6)


def test_published_check_of_plackett_luce():
    found = plackett_luce_nll(row(2, 1, 0, -1), row(4, 3, 2, 1), torch.ones(1, 4))
    assert found.item() == pytest.approx(1.161057, abs=1e-6)


@pytest.mark.parametrize(
    ("worth", "expected"),
    [
        # log(e^.3 + e^-1.2 + e^.8) = 1.354957, log(e^-1.2 + e^.8) = .926928
        ((2.5, 0.7, -1.2), 1.354957 - 0.3 + 0.926928 + 1.2),
        ((2.5, 2.5, -1.2), 1.354957 - 0.3 + 1.354957 + 1.2),  # either denominator holds all
        ((2.5, 0.7, 0.7), 1.354957 - 0.3),  # the first alone was chosen
    ],
)
def test_plackett_luce_worked_by_hand_with_ties_by_breslow(worth, expected):
    found = plackett_luce_nll(row(0.3, -1.2, 0.8), row(*worth), torch.ones(1, 3))
    assert found.item() == pytest.approx(expected, abs=2e-6)


@given(st.lists(st.tuples(st.floats(-9, 9), st.integers(1, 3)), min_size=1, max_size=5))
def test_plackett_luce_is_the_sum_over_those_chosen_before_others(group):
    expected = sum(
        math.log(math.fsum(math.exp(other) for other, rank in group if rank <= worth)) - score
        for score, worth in group
        if worth > min(rank for _, rank in group)
    )
    scores, worths = zip(*group, strict=True)
    found = plackett_luce_nll(row(*scores), row(*worths), torch.ones(1, len(group)))
    assert found.item() == pytest.approx(expected, abs=1e-9)


def test_listwise_dpo_worked_by_hand_with_every_constant_in_use():
    # beta (S - Sref) = .35 (.3, -.8, .6) = .105, -.28, .21
    loss_G, reward_GK = listwise_dpo_loss(
        answers(LOGP, LENGTH, REFERENCE), WORTH, whole(WORTH), beta=0.35
    )
    among = math.log(math.exp(-0.28) + math.exp(0.21))
    first = math.log(math.exp(0.105) + math.exp(-0.28) + math.exp(0.21))
    assert loss_G.item() == pytest.approx(first - 0.105 + among + 0.28)
    assert reward_GK[0].tolist() == pytest.approx([0.105, -0.28, 0.21])


def test_listwise_dpo_of_two_is_dpo():
    logp = row(-4.0, -4.5).requires_grad_()
    pair = answers(logp, row(4, 3), row(-4.4, -4.2))
    loss_G, reward_GK = listwise_dpo_loss(pair, row(0.9, 0.4), torch.ones(1, 2))
    assert loss_G.item() == pytest.approx(0.658760, abs=1e-6)
    assert reward_GK[0].tolist() == pytest.approx([0.04, -0.03])
    assert loss_G.requires_grad
    assert not reward_GK.requires_grad


@each_loss
@pytest.mark.parametrize("junk", JUNK)
def test_the_padding_reaches_neither_loss_nor_gradient(loss, junk):
    def padded(group: Tensor, *shorter: float) -> Tensor:
        return torch.cat([group, row(junk)], 1), torch.tensor([[*shorter, junk, junk]])

    rows = [
        torch.cat(padded(group, *shorter)).requires_grad_()
        for group, shorter in (
            (LOGP, (-1.3, -2.6)),
            (REFERENCE, (-1.9, -2.2)),
            (LENGTH, (3.0, 7.0)),
            (WORTH, (0.4, 1.1)),
        )
    ]
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])
    found = loss(Answers(*rows[:3]), rows[3], mask)
    found.sum().backward()
    shorter = Answers(row(-1.3, -2.6), row(-1.9, -2.2), row(3, 7))
    alone = loss(shorter, row(0.4, 1.1), torch.ones(1, 2))
    assert found.tolist() == pytest.approx([of_ranked(loss, LOGP).item(), alone.item()])
    for grad in (one.grad for one in rows if one.grad is not None):
        assert grad.isfinite().all()
        assert (grad[mask == 0] == 0).all()
    assert rows[0].grad is not None
    assert (rows[0].grad[mask == 1] != 0).any()


def test_the_rewards_in_the_padding_are_zero():
    group = answers(row(-3.0, -2.0, math.nan), row(4, 2, math.nan), row(-3.3, -2.6, math.nan))
    found = listwise_dpo_loss(group, row(2.5, 0.7, math.nan), row(1, 1, 0), beta=0.35)
    assert found.reward_GK[0].tolist() == pytest.approx([0.105, 0.21, 0])


@pytest.mark.parametrize(
    ("name", "worth"),
    [
        (name, worth)
        for name in LOSSES
        for worth in ((2.5, 0.7, -1.2), (2.5, -1.2, 2.5), (0.7, 2.5, 0.7))
        if name != "pro-released" or len(set(worth)) == 3  # its ties keep the order they stand in
    ],
)
def test_the_order_of_the_completions_does_not_matter(name, worth):
    loss = LOSSES[name]
    there, order = of_ranked(loss, LOGP, row(*worth)), [2, 0, 1]
    moved = answers(LOGP[:, order], LENGTH[:, order], REFERENCE[:, order])
    back = loss(moved, row(*worth)[:, order], torch.ones(1, 3))
    assert back.item() == pytest.approx(there.item(), rel=1e-12)


@each_loss
@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_where_all_tie_there_is_nothing_to_learn(loss, size):
    logp = LOGP.clone().requires_grad_()
    mask = torch.tensor([[place < size for place in range(3)]])
    found = loss(answers(logp, LENGTH, REFERENCE), row(0.7, 0.7, 0.7), mask)
    found.sum().backward()
    assert found.tolist() == [0]
    assert logp.grad is not None
    assert logp.grad.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("name", ["listwise-dpo", "plackett-luce"])
def test_a_common_shift_of_the_scores_changes_nothing(name):
    there, back = of_ranked(LOSSES[name], LOGP), of_ranked(LOSSES[name], LOGP + 37.5)
    assert back.item() == pytest.approx(there.item(), rel=1e-12)


@each_loss
def test_only_the_differences_of_worth_count(loss):
    there, back = of_ranked(loss, LOGP), of_ranked(loss, LOGP, WORTH + 37.5)
    assert back.item() == pytest.approx(there.item(), rel=1e-9)


@each_loss
@pytest.mark.parametrize("worth", [(2.5, 0.7, -1.2), (2.5, -1.2, 2.5), (0.7, 2.5, 0.7)])
def test_the_gradient_is_that_of_finite_differences(loss, worth):
    logp = LOGP.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: of_ranked(loss, x, row(*worth)), [logp])
    of_ranked(loss, logp, row(*worth)).sum().backward()
    assert logp.grad is not None
    assert (logp.grad != 0).any()


@each_loss
@pytest.mark.parametrize("logp", [(-200.0, 200.0, -200.0), (200.0, -200.0, 0.1)])
def test_extremes_stay_finite_in_single_precision(loss, logp):
    extreme = torch.tensor([logp]).requires_grad_()
    length, worth = torch.tensor([[1.0, 1, 2]]), torch.tensor([[9.0, 4, -7]])
    found = loss(answers(extreme, length, torch.zeros(1, 3)), worth, torch.ones(1, 3))
    found.sum().backward()
    assert found.isfinite().all()
    assert extreme.grad is not None
    assert extreme.grad.isfinite().all()
