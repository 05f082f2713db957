"""Which coefficients a study gets, and their values by hand."""

from __future__ import annotations

import pytest

from suffrage.stats.coefficients import agreement_coefficients

from .test_consensus import table
from .test_raters import ranking
from .test_votes import judgment


def test_two_raters_of_pairs() -> None:
    # They agree on p0, p1, p2 and not on p3; mirrored, each choice has half of all votes: chance .5
    found = agreement_coefficients(table({"Ann": "aaab", "Bob": "aaaa"}))
    assert set(found) == {"percent", "fleiss", "gwet_ac1", "cohen"}
    assert found["percent"].value == 0.75
    for name in ("fleiss", "gwet_ac1", "cohen"):
        assert found[name].value == pytest.approx(0.5), name
        assert found[name].n == 4
        assert found[name].unit == "prompts"


def test_ties_are_a_third_value_of_pairs() -> None:
    # p0 a a, p1 tie tie, p2 a tie. Mirrored shares: tie .5, a and b .25: P_e = .375; AC1: .3125
    votes = [
        judgment("pair", value, "x", "y", rater=rater, prompt_id=f"p{prompt}")
        for rater, values in {"Ann": ("a", "tie", "a"), "Bob": ("a", "tie", "tie")}.items()
        for prompt, value in enumerate(values)
    ]
    found = agreement_coefficients(votes)
    assert found["fleiss"].value == pytest.approx((2 / 3 - 0.375) / 0.625)
    assert found["gwet_ac1"].value == pytest.approx((2 / 3 - 0.3125) / 0.6875)
    # Cohen: Ann's margins a 1/3 b 1/3 tie 1/3, Bob's 1/6 1/6 2/3: chance 1/3
    assert found["cohen"].value == pytest.approx((2 / 3 - 1 / 3) / (2 / 3))


def test_more_than_two_raters_have_no_cohen() -> None:
    found = agreement_coefficients(table({"Ann": "aab", "Bob": "aaa", "Cat": "bba"}))
    assert set(found) == {"percent", "fleiss", "gwet_ac1"}


def test_scales_get_a_weighted_kappa() -> None:
    ratings = [
        judgment("rating", value, name, rater=rater)
        for rater, values in {"Ann": (1, 4, 7), "Bob": (2, 4, 7)}.items()
        for name, value in zip("xyz", values, strict=True)
    ]
    found = agreement_coefficients(ratings)
    # squared differences: observed 1; by chance (1 9 36 | 4 0 9 | 25 9 0) / 9 = 93 / 9
    assert found["cohen_quadratic"].value == pytest.approx(1 - (1 / 3) / (93 / 9))
    assert found["percent"].value == pytest.approx(2 / 3)


def test_orders_get_tau_and_w() -> None:
    found = agreement_coefficients([ranking("Ann", "x>y>z"), ranking("Bob", "x>z>y")])
    assert found["kendall_tau"].value == pytest.approx(1 / 3)
    assert found["kendall_w"].value == pytest.approx(12 * 6 / (4 * 24))  # rank sums 2 5 5


def test_a_corrected_judgment_does_not_count() -> None:
    wrong = judgment("rating", 7, "x", id="old", rater="Ann")
    right = judgment("rating", 2, "x", id="new", rater="Ann", supersedes="old")
    # read last, the old rating would be taken for the last word
    found = agreement_coefficients([right, judgment("rating", 2, "x", rater="Bob"), wrong])
    assert found["percent"].value == 1
