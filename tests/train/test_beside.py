"""What is learned beside a reward model: where it starts, what it says, how it is kept."""

from __future__ import annotations

import math

import pytest
import tiny
import torch
from ten_groups import judged

from suffrage.core.files import read_json
from suffrage.data.encode import Encoder
from suffrage.data.opinions import Rating
from suffrage.models.scalar_head import OFFSET, from_language_model
from suffrage.objectives.table import objective
from suffrage.train.beside import CUTPOINTS, DOUBT, Cutpoints, Reliabilities, centre, make_beside
from suffrage.train.examples import Example, Part, make_examples

ENCODER = Encoder(tiny.tokenizer(), (2,), context=60)
TREE = tiny.tree(1, 5, (3, 2))


def rated(head: int, *levels: int) -> Example:
    return Example("p", TREE, ratings=tuple(Rating(0, "grade", k) for k in levels), head=head)


def test_cutpoints_start_at_the_shares_of_their_own_head_and_scale():
    made = Cutpoints([rated(0, 1, 1, 4), rated(1, 2), rated(0, 3)], heads=2)
    # 2.5, .5, 1.5, 1.5 of 6 and .5, 1.5, .5, .5 of 3; of no ratings each level has 1/7
    first = [math.log(part / (6 - part)) for part in (2.5, 3.0, 4.5)]
    second = [math.log(part / (3 - part)) for part in (0.5, 2.0, 2.5)]
    none = [math.log(k / (7 - k)) for k in range(1, 7)]
    assert made("grade", 0).tolist() == pytest.approx(first, abs=1e-5)
    assert made("grade", 1).tolist() == pytest.approx(second, abs=1e-5)
    assert made("rating", 1).tolist() == pytest.approx(none, abs=1e-5)


def votes(*raters: str) -> Example:
    return Example("p", TREE, raters=raters)


def test_raters_start_at_the_mean_of_their_prior_and_their_votes_are_counted():
    made = Reliabilities([votes("Cid", "Ann"), votes("Ann")], prior=9.0)
    assert made.names == ["Ann", "Cid"]
    e, count = made(["Cid", "Ann", "Zoe"])  # Zoe never voted: she is believed by the prior alone
    assert e.tolist() == pytest.approx([10 / 11] * 3, abs=2 * DOUBT)
    assert count.tolist() == [1, 2, 1]


def test_no_rater_is_ever_certain():
    made = Reliabilities([votes("Ann", "Bob")], prior=2.0)
    made.raw.data = torch.tensor([200.0, -200.0])
    e, _ = made(["Ann", "Bob"])
    assert e.tolist() == pytest.approx([1 - DOUBT, DOUBT], abs=1e-7)
    (e.log() + torch.log1p(-e)).sum().backward()
    assert made.raw.grad is not None
    assert made.raw.grad.isfinite().all()


def test_reliabilities_are_written_from_the_least_reliable_on(tmp_path):
    made = Reliabilities([votes("Ann", "Bob")], prior=2.0)
    made.raw.data = torch.tensor([1.5, -0.5])
    made.save(tmp_path)
    found = read_json(tmp_path / "raters.json")
    assert list(found) == ["Bob", "Ann"]
    assert found["Ann"] == pytest.approx(1 / (1 + math.exp(-1.5)), abs=2e-4)


def test_only_the_methods_that_need_it_learn_something_beside():
    for name, kind in (("reward-rating", Cutpoints), ("reward-raters", Reliabilities)):
        row = objective(name)
        examples, _ = make_examples(judged(4), ENCODER, row)
        assert isinstance(make_beside(row, row.check({}), examples), kind)
    assert make_beside(objective("reward"), {}, []) is None


def test_centring_moves_scores_and_cutpoints_together():
    scalar = from_language_model(tiny.bundle(), seed=6)
    examples = [rated(0, 1), rated(0, 3)]
    cutpoints = Cutpoints(examples)
    before = cutpoints("grade", 0).tolist()
    scores = [torch.tensor([1.0, 4.0]), torch.tensor([-2.0, 0.5])]
    centre(scalar, examples, scores, cutpoints)
    config = scalar.model.config
    assert getattr(config, OFFSET) == pytest.approx(0.875)
    (kept,) = getattr(config, CUTPOINTS)["grade"]
    assert kept == pytest.approx([cut - 0.875 for cut in before])


def test_each_head_is_centred_on_the_completions_it_is_told_of():
    scalar = from_language_model(tiny.bundle(), seed=6, heads=("good", "kind", "new"))
    setattr(scalar.model.config, OFFSET, [0.5, 0.0, 0.0])
    examples = [
        Example("p", TREE, parts=(Part((0, 1), rated(0, 1)), Part((1,), rated(1, 2)))),
        Example("q", TREE, parts=(Part((0,), rated(1, 2)),)),
    ]
    scores = [
        torch.tensor([[1.0, 9.0, 9.0], [4.0, 2.0, 9.0]]),
        torch.tensor([[9.0, 7.0, 9.0], [9.0, 9.0, 9.0]]),
    ]
    centre(scalar, examples, scores)
    assert getattr(scalar.model.config, OFFSET) == [0.5 + 2.5, 4.5, 0.0]
