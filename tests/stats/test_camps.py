"""Camps of raters: found where there are some, and not where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from suffrage.core.errors import SettingsError
from suffrage.stats.bradley_terry import bradley_terry
from suffrage.stats.camps import CampCount, Camps, _choose, camp_names, count_camps, find_camps
from suffrage.stats.comparisons import Comparisons, Match, from_matches
from suffrage.stats.pair_likelihood import Model

VALUES = np.array([[1.5, 0.5, -0.5, -1.5], [-1.2, -0.6, 0.3, 1.5], [-0.2, 1.4, 0.0, -1.2]])


def study(seed: int, sizes: tuple[int, ...], votes: int = 30) -> tuple[Comparisons, np.ndarray]:
    """Raters of camps of these sizes, each with so many votes on pairs of four items."""
    rng = np.random.default_rng(seed)
    camp_R = np.repeat(np.arange(len(sizes)), sizes)
    matches = []
    for rater, camp in enumerate(camp_R):
        for _ in range(votes):
            first, second = rng.choice(4, 2, replace=False)
            gap = VALUES[camp, first] - VALUES[camp, second]
            result = float(rng.random() < expit(gap))
            prompt = f"p{rng.integers(60)}"
            matches.append(Match(f"m{first}", f"m{second}", result, 0.0, prompt, f"r{rater}"))
    return from_matches(matches, [f"m{item}" for item in range(4)]), camp_R


def test_two_camps_are_recovered() -> None:
    placed = right = 0
    for seed in range(10):
        data, camp_R = study(seed, (8, 5))
        found = find_camps(data, 2, seed=seed)
        right += int((found.camp_R == camp_R).sum())
        placed += len(camp_R)
        assert found.size_G == pytest.approx([8 / 13, 5 / 13], abs=0.12)
    assert right >= 0.97 * placed


def test_each_camp_has_its_own_scores() -> None:
    data, _ = study(3, (12, 9), votes=120)
    found = find_camps(data, 2)
    centred = VALUES[:2] - VALUES[:2].mean(axis=1, keepdims=True)
    assert found.score_GK == pytest.approx(centred, abs=0.35)
    assert set(camp_names(found, data.raters).values()) == {"camp 1", "camp 2"}
    assert camp_names(found, data.raters)["r0"] == "camp 1"


@pytest.mark.slow
@pytest.mark.parametrize(("sizes", "camps"), [((13,), 1), ((8, 5), 2), ((8, 7, 6), 3)])
def test_the_number_of_camps_is_found_by_votes_kept_back(
    sizes: tuple[int, ...], camps: int
) -> None:
    found = [count_camps(study(seed, sizes, 40)[0], most=3, seed=seed).chosen for seed in range(2)]
    assert found == [camps, camps]


def test_one_camp_is_bradley_terry() -> None:
    data, _ = study(4, (6,))
    found = find_camps(data, 1, ridge=0.4)
    plain = bradley_terry(data, Model(ridge=0.4))
    assert found.score_GK[0] == pytest.approx(plain.score_K, abs=1e-6)
    assert found.size_G.tolist() == [1]
    expected = plain.log_likelihood - 0.2 * float((plain.score_K**2).sum())
    assert found.log_posterior == pytest.approx(expected)


def test_a_raters_membership_by_hand() -> None:
    # At the fit: size_g P(votes | camp g), over both camps; three votes leave much open
    data, _ = study(5, (9, 3), votes=3)
    found = find_camps(data, 2)
    for rater in range(12):
        mine = data.take(data.rater_N == rater)
        gap = found.score_GK[:, mine.first_N] - found.score_GK[:, mine.second_N]
        won = np.where(mine.result_N == 1, expit(gap), expit(-gap)).prod(axis=1) * found.size_G
        assert found.member_RG[rater] == pytest.approx(won / won.sum(), abs=0.02)


def test_the_smallest_number_within_two_errors_of_the_best_is_chosen() -> None:
    # Two camps gain 1 for each of 4 raters alike; a third gains .1, with an error far above
    held = np.array(
        [[-5.0, -4.0, -3.0], [-6.0, -5.0, -5.9], [-5.0, -4.0, -4.0], [-7.0, -6.0, -5.7]]
    )
    found: CampCount = _choose(held, votes=20)
    assert found.chosen == 2
    assert found.gain == pytest.approx({1: 0, 2: 4 / 20, 3: 4.4 / 20})
    assert found.error[2] == pytest.approx(0)
    lead = held[:, 2] - held[:, 0]
    assert found.error[3] == pytest.approx(2 * lead.std() / 20)


def test_more_camps_than_raters_are_refused() -> None:
    data, _ = study(6, (3,))
    with pytest.raises(SettingsError, match="4 camps of 3 raters; ask for 1 to 3"):
        find_camps(data, 4)
    assert isinstance(find_camps(data, 3), Camps)
