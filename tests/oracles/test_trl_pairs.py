"""Methods that learn from pairs against TRL: from texts to the loss and its gradient.

Where the two differ by design, the test says how, and compares what they share.
"""

from __future__ import annotations

import pytest
from trl_oracle import (
    assert_equal,
    equally_long_groups,
    examples_of,
    ours,
    pair_groups,
    pair_rows,
    theirs,
)

# our method and options, TRL's options for its DPOTrainer
OF_DPO = {
    "dpo": (("dpo", {"beta": 0.3}), {"loss_type": ["sigmoid"], "beta": 0.3}),
    "dpo-norm": (("dpo-norm", {"beta": 2.3}), {"loss_type": ["sigmoid_norm"], "beta": 2.3}),
    "hinge": (("hinge", {"beta": 0.3}), {"loss_type": ["hinge"], "beta": 0.3}),
    # TRL averages over a completion's tokens; the paper's sum is the other setting of our option
    "ipo": (
        ("ipo", {"beta": 0.3, "tokens": "averaged"}),
        {"loss_type": ["ipo"], "beta": 0.3},
    ),
    "nca": (("nca", {"beta": 0.3}), {"loss_type": ["nca_pair"], "beta": 0.3}),
    "robust-dpo": (
        ("robust-dpo", {"beta": 0.3, "flip_rate": 0.2}),
        {"loss_type": ["robust"], "beta": 0.3, "label_smoothing": 0.2},
    ),
    "discopop": (
        ("discopop", {"beta": 0.3, "tau": 0.4}),
        {"loss_type": ["discopop"], "beta": 0.3, "discopop_tau": 0.4},
    ),
}
OF_BATCHES = {
    "aot": (("aot", {"beta": 0.3}), {"loss_type": ["aot"], "beta": 0.3}),
    "aot-unpaired": (
        ("aot-unpaired", {"beta": 0.3}),
        {"loss_type": ["aot_unpaired"], "beta": 0.3},
    ),
}


@pytest.mark.parametrize("name", OF_DPO)
def test_soft_and_weighted_votes_give_the_loss_of_trl_on_the_votes_one_by_one(name, tmp_path):
    (method, options), trl_options = OF_DPO[name]
    groups = pair_groups()
    found = ours(method, groups, **options)
    assert_equal(found, theirs("DPO", pair_rows(groups), tmp_path, **trl_options))


@pytest.mark.parametrize("name", OF_BATCHES)
def test_a_loss_between_distributions_is_that_of_trl_on_the_votes_one_by_one(name, tmp_path):
    """Every pair weighs the same: a distribution of margins has no place for weights."""
    (method, options), trl_options = OF_BATCHES[name]
    groups = pair_groups(weighted=False)
    found = ours(method, groups, **options)
    assert_equal(found, theirs("DPO", pair_rows(groups), tmp_path, **trl_options))


def test_exo_is_that_of_trl_on_certain_votes(tmp_path):
    """A soft vote is the target of our EXO, not a mixture of two losses, so TRL cannot have it."""
    groups = pair_groups(hard=True)
    found = ours("exo", groups, beta=0.3, target_smoothing=0.07)
    options = {"loss_type": ["exo_pair"], "beta": 0.3, "label_smoothing": 0.07}
    assert_equal(found, theirs("DPO", pair_rows(groups), tmp_path, **options))


def test_label_smoothing_of_dpo_is_a_quarter_of_the_rows_of_trl_turned_round(tmp_path):
    """TRL's own `label_smoothing` is not read by its `sigmoid` loss."""
    certain = pair_groups(hard=True, weighted=False, only_two=True)
    found = ours("dpo", certain, beta=0.3, label_smoothing=0.25)
    rows = [
        {**row, "chosen": row["rejected"], "rejected": row["chosen"]} if place % 4 == 0 else row
        for place, row in enumerate(pair_rows(certain))
    ]
    assert_equal(found, theirs("DPO", rows, tmp_path, loss_type=["sigmoid"], beta=0.3))


def test_imitation_beside_dpo_is_that_of_trl_where_chosen_answers_are_equally_long(tmp_path):
    """TRL takes the mean over all tokens of the batch, we over each answer and then over pairs."""
    groups = equally_long_groups()
    assert {lengths[0] for e in examples_of("dpo", groups) for lengths in [e.lengths]} == {5}
    found = ours("dpo", groups, beta=0.3, nll=0.7)
    options = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.7], "beta": 0.3}
    assert_equal(found, theirs("DPO", pair_rows(groups), tmp_path, **options))


def test_simpo_is_that_of_trl_whose_gamma_is_not_relative_to_beta(tmp_path):
    groups = pair_groups()
    found = ours("simpo", groups, beta=2.3, gamma_ratio=0.4)
    options = {"loss_type": "simpo", "cpo_alpha": 0.0, "beta": 2.3, "simpo_gamma": 0.4 * 2.3}
    assert_equal(found, theirs("CPO", pair_rows(groups), tmp_path, **options))


def test_cpo_without_imitation_is_that_of_trl(tmp_path):
    groups = pair_groups()
    found = ours("cpo", groups, beta=0.3, nll=0.0)
    options = {"loss_type": "sigmoid", "cpo_alpha": 0.0, "beta": 0.3}
    assert_equal(found, theirs("CPO", pair_rows(groups), tmp_path, **options))


def test_cpo_with_imitation_is_that_of_trl_where_chosen_answers_are_equally_long(tmp_path):
    """TRL takes the mean over all tokens of the batch, we over each answer and then over pairs."""
    groups = equally_long_groups()
    found = ours("cpo", groups, beta=0.3, nll=0.7, nll_tokens="averaged")
    options = {"loss_type": "sigmoid", "cpo_alpha": 0.7, "beta": 0.3}
    assert_equal(found, theirs("CPO", pair_rows(groups), tmp_path, **options))


def test_the_hinge_of_slic_is_that_of_trl_in_other_units(tmp_path):
    """TRL's is max(0, 1 - beta d), ours max(0, delta - d): beta times ours with delta = 1/beta."""
    groups = pair_groups()
    loss, slope = ours("slic", groups, delta=5.0, nll=0.0)
    options = {"loss_type": "hinge", "cpo_alpha": 0.0, "beta": 0.2}
    expected = theirs("CPO", pair_rows(groups), tmp_path, **options)
    assert_equal((0.2 * loss, 0.2 * slope), expected)


def test_the_odds_term_of_orpo_is_that_of_trl(tmp_path):
    """What lambda adds is compared: TRL's imitation covers the prompt too, ours the answer."""
    groups = pair_groups()
    rows = pair_rows(groups)
    with_odds = ours("orpo", groups, odds_weight=0.7)
    without = ours("orpo", groups, odds_weight=0.0)
    expected = theirs("ORPO", rows, tmp_path, beta=0.7), theirs("ORPO", rows, tmp_path, beta=0.0)
    assert without[0] != pytest.approx(expected[1][0], rel=1e-2)
    assert_equal(
        (with_odds[0] - without[0], with_odds[1] - without[1]),
        (expected[0][0] - expected[1][0], expected[0][1] - expected[1][1]),
    )
