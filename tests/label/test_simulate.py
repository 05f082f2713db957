"""Simulated votes: balanced work, repeatable, and with the odds each behaviour promises."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from suffrage.core.errors import DataError, SettingsError, UserError
from suffrage.core.records import Completion, Group, Judgment, Prompt, RecordError
from suffrage.label.behaviours import BEHAVIOURS, Sight
from suffrage.label.simulate import (
    SimulatedRater,
    read_population,
    simulate_pairs,
    simulate_rankings,
    write_population,
)

UTILITIES = {"a": math.log(3), "b": math.log(2), "c": 0.0}  # Plackett-Luce weights 3, 2, 1
ROUNDS = 4000


def make_groups(n: int, texts: tuple[str, ...] = ("a", "b", "c")) -> list[Group]:
    return [
        Group(
            prompt=Prompt(id=f"p{number}", content="which?"),
            completions=tuple(
                Completion(
                    id=f"p{number}-{i}", prompt_id=f"p{number}", text=text, source="secret-7b"
                )
                for i, text in enumerate(texts)
            ),
        )
        for number in range(n)
    ]


def value(group: Group, completion: Completion, rater: SimulatedRater) -> float:
    return UTILITIES.get(completion.text, 0.0)


def people(*behaviours: str, noise: float = 1.0) -> list[SimulatedRater]:
    return [
        SimulatedRater(name=f"r{i}", behaviour=behaviour, noise=noise)
        for i, behaviour in enumerate(behaviours)
    ]


def orders(behaviour: str, noise: float = 1.0) -> dict[str, float]:
    """How often each ranking comes up, as a share."""
    votes = simulate_rankings(make_groups(ROUNDS), people(behaviour, noise=noise), value, 1, seed=3)
    seen = Counter("".join("abc"[int(tied[0][-1])] for tied in ranking(vote)) for vote in votes)
    return {order: count / ROUNDS for order, count in seen.items()}


def ranking(vote: Judgment) -> tuple[tuple[str, ...], ...]:
    assert isinstance(vote.value, tuple)
    return vote.value


# Standard errors are at most sqrt(.25 / 4000) = .008; the tolerance is four of them.


def test_good_raters_draw_from_plackett_luce() -> None:
    shares = orders("good")
    assert shares["abc"] == pytest.approx(3 / 6 * 2 / 3, abs=0.032)
    assert shares["acb"] == pytest.approx(3 / 6 * 1 / 3, abs=0.032)
    assert shares["bac"] == pytest.approx(2 / 6 * 3 / 4, abs=0.032)
    assert shares["cba"] == pytest.approx(1 / 6 * 2 / 5, abs=0.032)


def test_less_noise_sharpens() -> None:
    # noise 1/2 squares the weights: 9, 4, 1
    assert orders("good", noise=0.5)["abc"] == pytest.approx(9 / 14 * 4 / 5, abs=0.032)


def test_reversed_raters_put_the_best_last() -> None:
    shares = orders("reversed")
    assert shares["cba"] == pytest.approx(1 / 3, abs=0.032)
    assert shares["abc"] == pytest.approx(1 / 15, abs=0.032)


def test_careless_raters_are_uniform() -> None:
    shares = orders("careless")
    assert len(shares) == 6
    assert all(share == pytest.approx(1 / 6, abs=0.032) for share in shares.values())


def test_side_raters_keep_the_order_shown() -> None:
    votes = simulate_rankings(make_groups(ROUNDS), people("side"), value, 1, seed=3)
    kept = [list(vote.shown) == [tied[0] for tied in ranking(vote)] for vote in votes]
    first = [vote.shown[0] == ranking(vote)[0][0] for vote in votes]
    # were quality nothing: e0/(e0+e-2.5+e-5) * e-2.5/(e-2.5+e-5) = .919 * .924
    assert sum(kept) / ROUNDS == pytest.approx(0.849, abs=0.03)
    assert sum(first) / ROUNDS == pytest.approx(0.919, abs=0.03)
    upright = [vote.shown == vote.completions for vote in votes]
    assert sum(upright) / ROUNDS == pytest.approx(1 / 6, abs=0.032)


def test_each_completion_is_shown_first_equally_often() -> None:
    votes = simulate_rankings(make_groups(ROUNDS), people("good"), value, 1, seed=9)
    first = Counter(vote.shown[0][-1] for vote in votes)
    assert all(first[place] / ROUNDS == pytest.approx(1 / 3, abs=0.032) for place in "012")


def test_work_is_spread_evenly_and_mixed() -> None:
    raters = people(*["good"] * 11)
    votes = simulate_rankings(make_groups(100), raters, value, per_prompt=5, seed=0)
    assert len(votes) == 500
    load = Counter(vote.rater for vote in votes)
    assert max(load.values()) - min(load.values()) <= 1
    together: dict[str, set[str]] = {}
    for vote in votes:
        together.setdefault(vote.prompt_id, set()).add(vote.rater)
    assert all(len(names) == 5 for names in together.values())
    met = {(one, two) for names in together.values() for one in names for two in names}
    assert len(met) == 121, "every two raters share a prompt"


def test_a_vote_depends_on_seed_rater_and_prompt_alone() -> None:
    groups, raters = make_groups(20), people("good", "side", "careless", "reversed")
    everyone = simulate_rankings(groups, raters, value, 4, seed=1)
    alone = simulate_rankings(groups[5:], raters[2:3], value, 1, seed=1)
    by_key = {(vote.rater, vote.prompt_id): vote for vote in everyone}
    assert all(by_key[vote.rater, vote.prompt_id] == vote for vote in alone)
    assert len({vote.id for vote in everyone}) == 80
    again = simulate_rankings(groups, raters, value, 4, seed=2)
    assert {vote.id for vote in again}.isdisjoint(vote.id for vote in everyone)
    assert [vote.value for vote in again] != [vote.value for vote in everyone]


def test_votes_are_blind_and_look_like_votes() -> None:
    raters = people("good", "careless", "side")
    groups = make_groups(200, ("long " * 40, "longer " * 40))
    votes = simulate_rankings(groups, raters, value, 3, seed=1)
    spent: dict[str, list[float]] = {}
    for vote in votes:
        assert vote.rater_kind == "simulated"
        assert "secret" not in str(vote.to_json())
        assert vote.seconds is not None
        assert 0.5 < vote.seconds < 600
        spent.setdefault(vote.rater, []).append(vote.seconds)
    assert sum(spent["r1"]) < sum(spent["r2"]) < sum(spent["r0"])


def test_identical_texts_are_tied_by_those_who_read() -> None:
    groups = make_groups(50, ("a", "b", "a "))
    for vote in simulate_rankings(groups, people("good", "reversed"), value, 2, seed=1):
        tied = next(names for names in ranking(vote) if len(names) == 2)
        assert {name[-1] for name in tied} == {"0", "2"}
    careless = simulate_rankings(groups, people("careless"), value, 1, seed=1)
    assert all(len(ranking(vote)) == 3 for vote in careless)


def test_pairs() -> None:
    votes = simulate_pairs(make_groups(ROUNDS, ("a", "c")), people("good"), value, 1, seed=1)
    won = sum(vote.value == "a" for vote in votes) / ROUNDS
    assert won == pytest.approx(3 / 4, abs=0.032)
    assert {vote.strength for vote in votes} == {1, 2, 3, 4}
    shown = sum(vote.shown == vote.completions for vote in votes) / ROUNDS
    assert shown == pytest.approx(1 / 2, abs=0.032)
    alike = simulate_pairs(make_groups(10, ("a", "a")), people("good"), value, 1, seed=1)
    assert {(vote.value, vote.strength) for vote in alike} == {("tie", None)}
    three = simulate_pairs(make_groups(300), people("side"), value, 1, seed=1)
    judged = Counter("".join(name[-1] for name in vote.completions) for vote in three)
    assert set(judged) == {"01", "02", "12"}
    first = [vote.value == "ab"[vote.completions.index(vote.shown[0])] for vote in three]
    assert sum(first) / 300 == pytest.approx(0.924, abs=0.06)


def test_every_behaviour_scores_what_is_shown() -> None:
    sight = Sight(texts=("x", "y"), utilities=(0.0, 1.0), noise=1.0)
    for behaviour in BEHAVIOURS.values():
        scores = behaviour.scores(sight, Random(0))
        assert len(scores) == 2
        assert all(math.isfinite(score) for score in scores)


@pytest.mark.parametrize("per_prompt", [0, 3, -1])
def test_impossible_overlap(per_prompt: int) -> None:
    with pytest.raises(SettingsError, match="between 1 and 2"):
        simulate_rankings(make_groups(1), people("good", "good"), value, per_prompt, seed=0)


def test_what_cannot_be_rated() -> None:
    with pytest.raises(DataError, match="'p0' has 1 completions"):
        simulate_rankings(make_groups(1, ("a",)), people("good"), value, 1, seed=0)
    with pytest.raises(SettingsError, match="same name"):
        simulate_rankings(make_groups(1), people("good") * 2, value, 1, seed=0)
    with pytest.raises(RecordError, match="did you mean 'careless'"):
        SimulatedRater.from_json({"name": "x", "behaviour": "carless"})


def test_population_round_trip(tmp_path: Path) -> None:
    raters = [
        SimulatedRater(name="王小美", behaviour="side", camp="supporters", noise=0.25),
        SimulatedRater(name="Ana"),
    ]
    write_population(tmp_path / "p.json", raters)
    assert read_population(tmp_path / "p.json") == raters


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "is no population"),
        ('{"raters": []}', "is no population"),
        ('{"raters": [{"name": "a"}, {"name": "a"}]}', "row 2: has a second rater named 'a'"),
        ('{"raters": [{"name": "a"}, {"behaviour": "good"}]}', "row 2: SimulatedRater.name"),
        ('{"raters": [{"name": "a", "noise": 0}]}', "row 1: SimulatedRater.noise"),
        ('{"raters": [{"name": "a", "behaviour": "god"}]}', "did you mean 'good'"),
        ("{", "is not JSON"),
    ],
)
def test_bad_population_files(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "people.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_population(path)
    assert said in str(caught.value)
    assert "people.json" in str(caught.value)
