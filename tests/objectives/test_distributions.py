"""NCA, EXO and alignment via optimal transport, against values worked by hand.

The pair of NCA and EXO: r is .4 and -.3, with beta .35 the rewards are .14 and -.105 and the
margin is .245.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from suffrage.objectives.answers import Answers
from suffrage.objectives.distributions import (
    Atoms,
    aot_loss,
    aot_unpaired_loss,
    coupling,
    exo_loss,
    nca_loss,
)


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


FIRST = Answers(column(-3.7), column(-4.1), column(4))
SECOND = Answers(column(-5.2), column(-4.9), column(3))

# A batch of three: margins u of the policy (.9, -1.4, .3), v of the reference (.2, .5, -.6)
FIRST_3 = Answers(column(-2.1, -4.4, -3.7), column(-3.8, -2.5, -4.6), column(3, 5, 2))
SECOND_3 = Answers(column(-3, -3, -4), column(-4, -3, -4), column(4, 2, 6))
# Their quantiles differ by -1.4 + .6 = -.8, .3 - .2 = .1 and .9 - .5 = .4; -log sg(.35 x) of these:
LOSS_LEAST, LOSS_MIDDLE, LOSS_MOST = 0.842915, 0.675800, 0.625595


def test_nca_holds_each_likelihood_by_itself():
    # -log sg(.14) = .625595, -log sg(-.105) = .747025; -log sg(-.14) = .765595,
    # -log sg(.105) = .642025
    loss, *rewards = nca_loss(FIRST, SECOND, column(0.7), beta=0.35)
    noise = 0.5 * 0.765595 + 0.5 * 0.642025
    assert loss.item() == pytest.approx(0.7 * 0.625595 + 0.3 * 0.747025 + noise, abs=2e-6)
    assert [reward.item() for reward in rewards] == pytest.approx([0.14, -0.105])


def test_nca_of_a_sure_pair_is_the_papers():
    loss = nca_loss(FIRST, SECOND, column(1.0), beta=0.35).loss_P
    assert loss.item() == pytest.approx(0.625595 + 0.5 * 0.765595 + 0.5 * 0.642025, abs=2e-6)


def test_exo_is_the_divergence_of_the_policys_choice_from_the_votes():
    # q = sg(.245) = .560945, t = .7 * .95 + .3 * .05 = .68
    # .560945 ln(.560945 / .68) + .439055 ln(.439055 / .32) = -.107965 + .138874
    loss, *rewards = exo_loss(FIRST, SECOND, column(0.7), beta=0.35, target_smoothing=0.05)
    assert loss.item() == pytest.approx(0.030909, abs=2e-6)
    assert [reward.item() for reward in rewards] == pytest.approx([0.14, -0.105])


def test_exo_of_a_sure_pair_smooths_its_label():
    # t = .95: .560945 (-.578132 + .051293) + .439055 (-.823132 + 2.995732) = -.295528 + .953891
    loss = exo_loss(FIRST, SECOND, column(1.0), beta=0.35, target_smoothing=0.05).loss_P
    assert loss.item() == pytest.approx(0.658363, abs=3e-6)


def test_exo_asks_nothing_of_a_policy_that_chooses_as_the_raters_do():
    first = Answers(column(-3.7).requires_grad_(), column(-4.1), column(4))
    votes = torch.sigmoid(column(0.245))
    loss = exo_loss(first, SECOND, votes, beta=0.35, target_smoothing=1e-12).loss_P
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-10)
    assert first.logp.grad.item() == pytest.approx(0, abs=1e-10)


def test_aot_compares_the_margins_quantile_by_quantile():
    loss, *rewards = aot_loss(FIRST_3, SECOND_3, column(1, 1, 1), beta=0.35)
    assert loss.tolist() == pytest.approx([LOSS_MOST, LOSS_LEAST, LOSS_MIDDLE], abs=2e-6)
    # S - Sref: (1.7, -1.9, .9) and (1, 0, 0)
    assert rewards[0].tolist() == pytest.approx([0.595, -0.665, 0.315])
    assert rewards[1].tolist() == pytest.approx([0.35, 0, 0])


def test_unpaired_aot_compares_the_log_ratios_quantile_by_quantile():
    # log-ratios of the first (.9, -1.4, .3), of the second (-.6, .5, .2): the differences as above
    first = Answers(column(-3.1, -4.4, -2.7), column(-4, -3, -3), column(3, 5, 2))
    second = Answers(column(-3.6, -4.5, -2.8), column(-3, -5, -3), column(4, 2, 6))
    loss, *rewards = aot_unpaired_loss(first, second, column(1, 1, 1), beta=0.35)
    assert loss.tolist() == pytest.approx([LOSS_MOST, LOSS_LEAST, LOSS_MIDDLE], abs=2e-6)
    assert rewards[0].tolist() == pytest.approx([0.315, -0.49, 0.105])
    assert rewards[1].tolist() == pytest.approx([-0.21, 0.175, 0.07])


@pytest.mark.parametrize("method", [aot_loss, aot_unpaired_loss])
def test_it_does_not_matter_which_pairs_stand_together(method):
    # Handing the second answers round changes the margins of pairs but no unpaired quantile
    votes, order = column(1, 1, 1), [2, 0, 1]
    moved = Answers(SECOND_3.logp[order], SECOND_3.reference[order], SECOND_3.length[order])
    there = method(FIRST_3, SECOND_3, votes, beta=0.35).loss_P.sum().item()
    moved_sum = method(FIRST_3, moved, votes, beta=0.35).loss_P.sum().item()
    assert (moved_sum == pytest.approx(there)) is (method is aot_unpaired_loss)


def test_aot_of_a_vote_puts_mass_on_the_margin_and_on_its_negative():
    # u = .7, v = -.8: policy -.7 (.3), .7 (.7); reference -.8 (.7), .8 (.3). Matched quantiles:
    # -.7 with -.8 (.3), .7 with -.8 (.4), .7 with .8 (.3); differences .1, 1.5, -.1
    first = Answers(column(-2.3), column(-3.3), column(3))
    second = Answers(column(-3.0), column(-2.5), column(4))
    loss = aot_loss(first, second, column(0.7), beta=0.4).loss_P.item()
    # -log sg of .04, .6 and -.04
    assert loss == pytest.approx(0.3 * 0.673347 + 0.4 * 0.437488 + 0.3 * 0.713347, abs=2e-6)


def test_unpaired_aot_of_a_vote_counts_each_answer_on_both_sides():
    # log-ratios .7 and -.8: preferred -.8 (.3), .7 (.7); others -.8 (.7), .7 (.3)
    first = Answers(column(-2.3), column(-3.0), column(3))
    second = Answers(column(-3.3), column(-2.5), column(4))
    loss = aot_unpaired_loss(first, second, column(0.7), beta=0.4).loss_P.item()
    assert loss == pytest.approx(0.6 * 0.693147 + 0.4 * 0.437488, abs=2e-6)


def test_a_coupling_keeps_the_mass_of_every_atom():
    upper = Atoms(column(2.5, -1.5, 0.5), column(0.5, 0.25, 1.25))
    lower = Atoms(column(-3, 4), column(1.5, 0.5))
    found, other_found, mass = coupling(upper, lower)
    # from below: -1.5 (.25), .5 (1.25), 2.5 (.5) against -3 (1.5), 4 (.5)
    pieces = {(i, j): 0.0 for i in range(3) for j in range(2)}
    for i, j, part in zip(found.tolist(), other_found.tolist(), mass.tolist(), strict=True):
        pieces[i, j] += part
    used = {pair: part for pair, part in pieces.items() if part}
    assert used == pytest.approx({(1, 0): 0.25, (2, 0): 1.25, (0, 1): 0.5})


@pytest.mark.parametrize("turned", [False, True])
def test_a_coupling_of_masses_that_differ_by_rounding_ends_at_the_last_atom(turned):
    # .1 + .2 is more than .3 in floating point, by 5.6e-17
    sides = Atoms(column(-2.5, 1.5), column(0.1, 0.2)), Atoms(column(4), column(0.3))
    found, other_found, mass = coupling(*(sides[::-1] if turned else sides))
    pieces = (other_found, found) if turned else (found, other_found)
    assert [piece.tolist() for piece in pieces] == [[0, 1, 1], [0, 0, 0]]
    assert mass.tolist() == pytest.approx([0.1, 0.2, 0])
