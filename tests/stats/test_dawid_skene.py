"""Dawid and Skene against their own table, GLAD by hand and by simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import optimize
from scipy.special import expit, logsumexp

from suffrage.core.errors import DataError
from suffrage.stats.dawid_skene import Labels, _glad_loss, dawid_skene, glad, majority

# Dawid and Skene (1979), table 1: what five anaesthetists said of 45 patients' fitness, 1 to 4;
# the first saw each patient three times
ANAESTHETISTS = (
    "1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223 2322223 4444444",
    "2223343 1111111 2223212 1211111 1112111 1111111 1111111 2222221 2221322 2222222 2222221",
    "2223222 2212222 1111111 1111111 2322222 1111111 1111111 1121121 1111111 3333233 1111111",
    "2222222 2223232 4334343 2212232 2323233 3333432 1111111 1111111 1212111 2322222 1211111",
    "2222222",
)


def anaesthetists() -> Labels:
    value = np.array([list(map(int, row)) for row in " ".join(ANAESTHETISTS).split()]) - 1
    item, column = np.divmod(np.arange(value.size), 7)
    return Labels(np.maximum(column - 2, 0), item, value.ravel(), raters=5, items=45, values=4)


def test_dawid_and_skenes_anaesthetists() -> None:
    found = dawid_skene(anaesthetists(), smoothing=0)
    assert found.prior_V == pytest.approx([0.40, 0.42, 0.11, 0.07], abs=5e-3)
    first = [[0.89, 0.11, 0, 0], [0.07, 0.88, 0.05, 0], [0, 0.34, 0.66, 0], [0, 0, 0.56, 0.44]]
    assert found.confusion_RVV[0] == pytest.approx(np.array(first), abs=5e-3)
    # two labels of three patients were divided enough for the paper to discuss them
    assert found.posterior_IV.max(axis=1).argsort()[:3].tolist() == [34, 37, 6]


def simulated(
    seed: int, confusion_RVV: np.ndarray, items: int, prior: list[float]
) -> tuple[Labels, np.ndarray]:
    """Every rater labels every item once."""
    rng = np.random.default_rng(seed)
    raters, values, _ = confusion_RVV.shape
    truth = rng.choice(values, size=items, p=prior)
    rater, item = np.divmod(np.arange(raters * items), items)
    draw = rng.random(raters * items)[:, None]
    value = (draw > confusion_RVV[rater, truth[item]].cumsum(axis=1)).sum(axis=1)
    return Labels(rater, item, value, raters, items, values), truth


CONFUSION = np.array(
    [
        [[0.8, 0.15, 0.05], [0.1, 0.85, 0.05], [0.2, 0.1, 0.7]],
        [[0.6, 0.3, 0.1], [0.05, 0.9, 0.05], [0.05, 0.35, 0.6]],
        [[0.9, 0.05, 0.05], [0.25, 0.6, 0.15], [0.1, 0.1, 0.8]],
        [[0.4, 0.3, 0.3], [0.3, 0.4, 0.3], [0.3, 0.3, 0.4]],
    ]
)


def test_confusion_tables_are_recovered() -> None:
    labels, truth = simulated(1, CONFUSION, 4000, [0.5, 0.3, 0.2])
    found = dawid_skene(labels)
    assert found.confusion_RVV == pytest.approx(CONFUSION, abs=0.06)
    assert found.prior_V == pytest.approx([0.5, 0.3, 0.2], abs=0.04)
    right = (found.posterior_IV.argmax(axis=1) == truth).mean()
    assert right > (majority(labels).argmax(axis=1) == truth).mean()


def test_the_likelihood_is_that_of_every_possible_truth() -> None:
    labels, _ = simulated(2, CONFUSION, 4, [0.5, 0.3, 0.2])
    found = dawid_skene(labels, smoothing=0.3, rounds=1)
    total = 0.0
    for truth in product(range(3), repeat=4):
        chance = np.prod(found.prior_V[list(truth)])
        for rater, item, value in zip(labels.rater_N, labels.item_N, labels.value_N, strict=True):
            chance *= found.confusion_RVV[rater, truth[item], value]
        total += chance
    assert found.log_likelihood == pytest.approx(np.log(total))


def test_one_step_by_hand() -> None:
    # Item 0: a a b, item 1: b b. Majority: item 0 is a with 2/3; item 1 is b. smoothing .5
    labels = Labels(
        *(np.array(x) for x in ([0, 1, 2, 0, 1], [0, 0, 0, 1, 1], [0, 0, 1, 1, 1])), 3, 2, 2
    )
    found = dawid_skene(labels, smoothing=0.5, rounds=1)
    assert found.prior_V == pytest.approx([1 / 3, 2 / 3])
    # rater 0: where a is true, said a 2/3 + .5, b .5; where b is true, a 1/3 + .5, b 1 + .5
    expected = [[7 / 10, 3 / 10], [5 / 14, 9 / 14]]
    assert found.confusion_RVV[0] == pytest.approx(np.array(expected))
    coin = dawid_skene(labels, smoothing=0.5, rounds=1, one_coin=True)
    right = (2 / 3 + 0.5 + 1.5) / 4  # both true values together
    assert coin.confusion_RVV[0] == pytest.approx(
        np.array([[right, 1 - right], [1 - right, right]])
    )


def test_one_coin_errs_evenly() -> None:
    coins = np.array([[[a, (1 - a) / 2, (1 - a) / 2]] * 3 for a in (0.9, 0.7, 0.55, 0.8)])
    for r in range(4):
        coins[r] = (1 - coins[r, 0, 0]) / 2 + np.eye(3) * (
            coins[r, 0, 0] - (1 - coins[r, 0, 0]) / 2
        )
    labels, _ = simulated(3, coins, 3000, [0.4, 0.35, 0.25])
    found = dawid_skene(labels, one_coin=True)
    assert found.confusion_RVV == pytest.approx(coins, abs=0.04)


def test_majority_and_items_without_labels() -> None:
    labels = Labels(np.array([0, 1, 2]), np.array([0, 0, 0]), np.array([1, 1, 0]), 3, 2, 2)
    assert majority(labels).tolist() == [[1 / 3, 2 / 3], [0.5, 0.5]]
    with pytest.raises(DataError, match="no labels"):
        Labels(*(np.array([], dtype=int),) * 3, 0, 0, 2)


def glad_study(seed: int) -> tuple[Labels, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    ability = np.array([2.5, 2.0, 1.8, 1.5, 1.5, 1.2, 0.0, -1.5])
    ease, truth = np.exp(rng.normal(0.2, 0.8, 300)), rng.integers(2, size=300)
    rater, item = np.divmod(np.arange(8 * 300), 300)
    right = rng.random(len(rater)) < expit(ability[rater] * ease[item])
    value = np.where(right, truth[item], 1 - truth[item])
    return Labels(rater, item, value, 8, 300, 2), ability, ease, truth


def test_glad_finds_able_raters_and_easy_items() -> None:
    labels, ability, ease, truth = glad_study(4)
    found = glad(labels)
    assert np.corrcoef(found.ability_R, ability)[0, 1] > 0.95
    assert found.ability_R[7] < -0.3  # turned round
    assert abs(found.ability_R[6]) < 0.3  # at random
    assert np.corrcoef(np.log(found.ease_I), np.log(ease))[0, 1] > 0.3
    right = (found.posterior_IV.argmax(axis=1) == truth).mean()
    assert right > (majority(labels).argmax(axis=1) == truth).mean() + 0.01


def test_glads_gradient_is_right() -> None:
    labels = glad_study(5)[0]
    rng = np.random.default_rng(0)
    theta, right = rng.normal(0.7, 0.5, 308), rng.random(len(labels.value_N))
    error = optimize.check_grad(
        lambda x: _glad_loss(x, labels, right)[0], lambda x: _glad_loss(x, labels, right)[1], theta
    )
    assert error < 1e-3


def test_glads_loss_and_posterior_by_hand() -> None:
    # One rater of ability a, two items of ease b and c, three values
    labels = Labels(np.array([0, 0]), np.array([0, 1]), np.array([2, 0]), 1, 2, 3)
    a, b, c = 1.3, 0.6, 2.2
    theta, right = np.array([a, np.log(b), np.log(c)]), np.array([0.7, 0.4])
    by_hand = (
        sum(
            p * np.log(expit(a * e)) + (1 - p) * np.log(expit(-a * e) / 2)
            for p, e in zip(right, (b, c), strict=True)
        )
        - ((theta - 1) ** 2).sum() / 2
    )
    assert _glad_loss(theta, labels, right)[0] == pytest.approx(-by_hand)
    found = glad(labels)
    skill = found.ability_R[0] * found.ease_I
    expected = np.log([expit(-skill[0]) / 2, expit(-skill[0]) / 2, expit(skill[0])])
    assert np.log(found.posterior_IV[0]) == pytest.approx(expected - logsumexp(expected), abs=1e-6)
