"""The result on raters: figures by hand, and who is named in simulated panels."""

from __future__ import annotations

from typing import Any

import pytest

from suffrage.core.errors import DataError
from suffrage.core.records import Judgment
from suffrage.core.results import RatersResult, RaterSummary
from suffrage.stats.odd import Share, odd_raters
from suffrage.stats.raters import raters_result

from .panel import GOOD, ODD, panel, rankings
from .test_consensus import table
from .test_votes import judgment


def by_name(result: RatersResult) -> dict[str, RaterSummary]:
    return {rater.rater: rater for rater in result.raters}


def named(judgments: list[Judgment]) -> dict[str, str]:
    """The odd raters; few rounds, for the intervals play no part in it."""
    result = raters_result(judgments, rounds=20)
    return {rater.rater: rater.odd for rater in result.raters if rater.odd}


def ranking(rater: str, best_first: str, prompt: str = "p", **more: Any) -> Judgment:
    value = tuple(tuple(tied) for tied in best_first.split(">"))
    names = sorted(best_first.replace(">", ""))
    return judgment("ranking", value, *names, rater=rater, prompt_id=prompt, **more)


def test_ordinal_alpha_of_rankings_by_hand() -> None:
    # Ranks of x, y, z: 1 2 3 and 1 3 2. Each rank occurs twice; squared distances 4 and 16;
    # observed 2 * 2 * 4 = 16, expected 2 * (16 + 16 + 64) = 192: 1 - 5 * 16 / 192
    result = raters_result([ranking("Ann", "x>y>z"), ranking("Bob", "x>z>y")])
    assert result.alpha.value == pytest.approx(1 - 80 / 192)
    assert result.alpha_level == "ordinal"
    assert result.pair_agreement.value == pytest.approx(2 / 3)
    assert (result.prompts, result.judgments) == (1, 2)


def test_tied_completions_share_the_mean_of_their_ranks() -> None:
    # Ranks 1.5 1.5 3 and 1 2 3: values 1, 1.5, 2, 3 occur 1, 2, 1, 2 times, at mid-ranks .5 2 3.5 5
    # observed 2 * (1.5^2 + 1.5^2) = 9; expected 2 * sum n_c n_k (difference)^2 =
    # 2 * (2 * 2.25 + 9 + 2 * 20.25 + 2 * 2.25 + 4 * 9 + 2 * 2.25) = 198: 1 - 5 * 9 / 198
    result = raters_result([ranking("Ann", "xy>z"), ranking("Bob", "x>y>z")])
    assert result.alpha.value == pytest.approx(1 - 45 / 198)


def test_alpha_of_pairs_reads_each_pair_both_ways() -> None:
    # Two raters, agreeing on p0 and not on p1; averaged with its mirror: o00 = o11 = o01 = o10 = 1
    # observed 2, expected 2 * 2 * 2 = 8: 1 - 3 * 2 / 8
    result = raters_result(table({"Ann": "aa", "Bob": "ab"}))
    assert result.alpha.value == pytest.approx(0.25)
    assert result.alpha_level == "nominal"


def test_agreeing_on_the_same_side_everywhere_is_full_agreement() -> None:
    result = raters_result(table({"Ann": "aaaa", "Bob": "aaaa"}))
    assert result.alpha.value == 1
    assert result.alpha.low is not None
    assert result.alpha.low < 0.6  # four prompts prove little
    assert result.alpha.note


@pytest.mark.parametrize(
    ("kind", "values", "level"),
    [
        ("rating", (7, 6, 1), "interval"),
        ("grade", ("A", "B", "D"), "ordinal"),
        ("thumb", ("up", "up", "down"), "nominal"),
    ],
)
def test_other_kinds_have_their_own_level(kind: str, values: tuple[Any, ...], level: str) -> None:
    given = [
        judgment(kind, value, name, rater=rater)
        for rater in ("Ann", "Bob")
        for name, value in zip("xyz", values, strict=True)
    ]
    result = raters_result(given)
    assert (result.alpha.value, result.alpha_level) == (1, level)


def test_mixed_kinds_use_the_commonest_for_alpha_and_say_so() -> None:
    pairs = table({"Ann": "aab", "Bob": "aab"})
    result = raters_result([*pairs, judgment("thumb", "up", "x")])
    assert result.alpha_level == "nominal"
    assert "6 judgments by pair only" in result.alpha.note


def test_reliability_and_first_shown_by_hand() -> None:
    shown = {"Ann": ("x", "y"), "Bob": ("y", "x"), "Cat": ("y", "x")}
    votes = [
        judgment("pair", choice, "x", "y", rater=rater, prompt_id=f"p{prompt}", shown=shown[rater])
        for rater, choices in {"Ann": "aaa", "Bob": "aaa", "Cat": "baa"}.items()
        for prompt, choice in enumerate(choices)
    ]
    raters = by_name(raters_result(votes))
    assert {name: rater.reliability.value for name, rater in raters.items()} == {
        "Ann": 1,
        "Bob": 1,
        "Cat": pytest.approx(2 / 3),
    }
    assert {name: rater.first_shown.value for name, rater in raters.items()} == {
        "Ann": 1,
        "Bob": 0,
        "Cat": pytest.approx(1 / 3),
    }
    assert raters["Cat"].judgments == raters["Cat"].reliability.n == 3


def test_what_is_unknown_is_none_and_says_why() -> None:
    lonely = judgment("pair", "a", "x", "y", rater="小明", prompt_id="其他")
    writer = judgment("demonstration", "answer", rater="Dee", prompt_id="q")
    raters = by_name(raters_result([*table({"Ann": "a", "Bob": "a"}), lonely, writer]))
    assert raters["小明"].reliability.value is None
    assert "no pair on which the other raters lean" in raters["小明"].reliability.note
    assert raters["Ann"].first_shown.value is None
    assert "not recorded" in raters["Ann"].first_shown.note
    assert raters["Dee"].judgments == 1


def test_superseded_judgments_do_not_count() -> None:
    wrong = judgment("pair", "b", "x", "y", id="old", prompt_id="p0", rater="Ann")
    right = judgment("pair", "a", "x", "y", id="new", prompt_id="p0", rater="Ann", supersedes="old")
    result = raters_result([wrong, right, *table({"Bob": "a"})])
    assert (result.judgments, result.pair_agreement.value) == (2, 1)


@pytest.mark.parametrize("judgments", [[], [judgment("demonstration", "text")]])
def test_nothing_to_compare_is_the_users_error(judgments: list[Judgment]) -> None:
    with pytest.raises(DataError, match=r"collect pairs, rankings"):
        raters_result(judgments)


def test_same_seed_same_result() -> None:
    judgments = panel(1, odd=True, prompts=20)
    assert raters_result(judgments, seed=5) == raters_result(judgments, seed=5)
    assert raters_result(judgments, seed=5) != raters_result(judgments, seed=6)


@pytest.mark.slow
def test_the_three_odd_raters_and_only_they_are_named() -> None:
    right = sum(named(panel(seed, odd=True)) == ODD for seed in range(50))
    assert right >= 49


@pytest.mark.slow
def test_a_panel_of_good_raters_is_left_in_peace() -> None:
    alarms = sum(bool(named(panel(seed, odd=False))) for seed in range(1000, 1050))
    assert alarms <= 1


def test_thirty_rankings_each_are_enough() -> None:
    found = [named(panel(seed, odd=True, prompts=66)) for seed in range(40)]  # 66 * 5 / 11 = 30
    hits = sum(names.get(rater) == kind for names in found for rater, kind in ODD.items())
    assert hits >= 0.95 * 3 * 40
    assert not any(set(names) & set(GOOD) for names in found)


def test_a_preference_for_the_last_place_is_a_side_too() -> None:
    behaviours = {**dict.fromkeys(GOOD, "good"), "Rika": "last"}
    result = by_name(raters_result(rankings(3, behaviours), rounds=20))
    assert result["Rika"].odd == "side"
    assert "shown last in 9" in result["Rika"].evidence
    assert "of pairs (the others: 5" in result["Rika"].evidence


def test_evidence_is_one_sentence_with_both_figures() -> None:
    result = by_name(raters_result(panel(0, odd=True), rounds=20))
    for name in ODD:
        evidence = result[name].evidence
        assert "%" in evidence
        assert "the others: " in evidence
        assert evidence.endswith(".")
    assert all(not result[name].evidence for name in GOOD)


def share(value: float, prompts: int = 50, error: float = 0.03, votes: int = 100) -> Share:
    return Share(value, error, prompts, votes, sure=value, worth=votes)


NAN = float("nan")
UNKNOWN = Share(NAN, NAN, 0, 0, sure=NAN, worth=0.0)


def test_two_raters_cannot_show_who_is_odd() -> None:
    assert odd_raters([share(0.1), share(0.1)], [UNKNOWN] * 2) == [("", "")] * 2


def test_few_prompts_prove_nothing() -> None:
    few = [share(0.9)] * 4 + [share(0.0, prompts=4, error=0.08)]
    assert odd_raters(few, [UNKNOWN] * 5)[4] == ("", "")
    assert odd_raters([*few[:4], share(0.0, prompts=5)], [UNKNOWN] * 5)[4][0] == "reversed"


def test_raters_who_judged_once_do_not_hide_a_reversed_one() -> None:
    # Of seven others four judged once, two of them something that nobody else did
    once = [share(0.0, prompts=1, votes=1)] * 2
    alone = [Share(NAN, NAN, 0, 0, sure=0.0, worth=0.0)] * 2
    found = odd_raters([share(0.9)] * 3 + [share(0.1), *once, *alone], [UNKNOWN] * 8)
    assert [kind for kind, _ in found] == ["", "", "", "reversed", "", "", "", ""]
    assert "the others: 90%" in found[3][1]


def test_a_weak_rater_who_still_reads_is_not_careless() -> None:
    # The others are at .9: below .7 over half of the votes look like coins
    panel_of = [share(0.9)] * 6
    assert odd_raters([*panel_of, share(0.72)], [UNKNOWN] * 7)[6][0] == ""
    assert odd_raters([*panel_of, share(0.68)], [UNKNOWN] * 7)[6][0] == "careless"


def test_a_side_without_harm_is_no_offence() -> None:
    reliability = [share(0.9)] * 5
    first = [share(0.5)] * 4 + [share(0.8)]
    assert odd_raters(reliability, first)[4][0] == ""
    assert odd_raters([*reliability[:4], share(0.8)], first)[4][0] == ""
    assert odd_raters([*reliability[:4], share(0.6)], first)[4][0] == "side"


def test_a_panel_shown_one_order_is_not_all_sided() -> None:
    # Where the better completion always stands first, everybody favours the first
    first = [share(0.9)] * 5
    found = odd_raters([share(0.9)] * 4 + [share(0.5)], first)
    assert [kind for kind, _ in found] == ["", "", "", "", "careless"]


def test_several_reversed_raters_may_be_a_camp() -> None:
    found = odd_raters([share(0.9)] * 5 + [share(0.1)] * 2, [UNKNOWN] * 7)
    assert [kind for kind, _ in found[5:]] == ["reversed", "reversed"]
    assert "2 raters do so and may be a group of another mind" in found[6][1]
