"""What a reward model's objectives are told of a batch: strengths, ratings, raters, heads."""

from __future__ import annotations

import math

import pytest
import tiny
import torch

from suffrage.core.records import Group, Preference, SoftPair
from suffrage.data.encode import Branch, Encoder, Tree
from suffrage.data.opinions import Rating
from suffrage.objectives.table import objective
from suffrage.train.beside import Cutpoints, Reliabilities
from suffrage.train.examples import Example, Part, make_examples
from suffrage.train.reward_terms import reward_terms

ENCODER = Encoder(tiny.tokenizer(), (2,), context=60)


def scored(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def group(name: str, texts: int, *pairs: SoftPair) -> Group:
    return tiny.group(name, "say ", ("ab", "the sea", "singing")[:texts], Preference(pairs=pairs))


def log_loss(margin: float) -> float:
    return math.log1p(math.exp(-margin))


def test_the_margin_a_pair_must_reach_follows_its_strength():
    groups = [
        group("p", 2, SoftPair(first=1, second=0, probability=0.8, strength=1 / 3)),
        group("q", 2, SoftPair(first=0, second=1)),  # nobody said how strongly: all of it
    ]
    row = objective("reward")
    examples, _ = make_examples(groups, ENCODER, row)
    terms = reward_terms(row, row.check({"margin": 0.9}))
    loss, _ = terms(examples, scored(-0.4, 0.7, 1.2, 0.5))
    # p: 1.1 - .9 / 3 * (2 * .8 - 1) = .92; q: .7 - .9 = -.2
    expected = 0.8 * log_loss(0.92) + 0.2 * log_loss(-0.92) + log_loss(-0.2)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_turning_a_pair_round_keeps_its_strength():
    turned = group("p", 2, SoftPair(first=0, second=1, probability=0.2, strength=0.7))
    (made,), _ = make_examples([turned], ENCODER, objective("reward"))
    assert made.pairs == (SoftPair(first=1, second=0, probability=0.8, strength=0.7),)


TREE = tiny.tree(1, 5, (3, 2))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_each_rating_is_read_on_its_own_scale_by_its_own_heads_cutpoints():
    row = objective("reward-rating")
    first = Example("p", TREE, ratings=(Rating(1, "grade", 2), Rating(0, "rating", 1)))
    second = Example("p", TREE, ratings=(Rating(0, "grade", 4),), head=1)
    cutpoints = Cutpoints([first, second], heads=2).to(torch.float64)
    grades = [cutpoints("grade", head).tolist() for head in (0, 1)]
    whole = Example("p", TREE, parts=(Part((0, 1), first), Part((1,), second)))
    score_BH = torch.tensor([[0.3, 9.0], [-0.6, 1.1]], dtype=torch.float64)
    loss, figures = reward_terms(row, row.check({}), cutpoints)([whole], score_BH)
    grade = sigmoid(grades[0][1] + 0.6) - sigmoid(grades[0][0] + 0.6)
    rating = sigmoid(cutpoints("rating", 0).tolist()[0] - 0.3)
    lone = 1 - sigmoid(grades[1][2] - 1.1)
    expected = -math.log(grade) / 2 - math.log(rating) / 2 - math.log(lone)
    assert loss.item() == pytest.approx(expected)
    assert figures["accuracy"][1] == 2  # two heads' worth of ratings


def test_each_vote_is_read_with_its_raters_reliability_and_prior():
    row = objective("reward-raters")
    pairs = (SoftPair(first=0, second=1), SoftPair(first=1, second=0))
    examples = [
        Example("p", TREE, pairs, raters=("Ann", "Bob")),
        Example("q", TREE, pairs[1:], raters=("Ann",)),
    ]
    beside = Reliabilities(examples, prior=1.4).to(torch.float64)
    beside.raw.data = torch.tensor([1.2, -0.7], dtype=torch.float64)
    terms = reward_terms(row, row.check({"prior": 1.4}), beside)
    loss, figures = terms(examples, scored(0.5, -0.3, 0.2, 0.9))
    ann, bob = (1e-4 + (1 - 2e-4) * sigmoid(raw) for raw in (1.2, -0.7))

    def vote(lead: float, e: float, votes: int) -> float:
        right = e * sigmoid(lead) + (1 - e) * sigmoid(-lead)
        return -math.log(right) - 1.4 / votes * math.log(e)

    expected = vote(0.8, ann, 2) / 2 + vote(-0.8, bob, 1) / 2 + vote(0.7, ann, 2)
    assert loss.item() == pytest.approx(expected)
    assert figures["reliability"] == (pytest.approx(2 * ann + bob), 3)
    assert figures["accuracy"] == (pytest.approx(1.5), 2)


def test_an_answer_on_which_raters_are_split_is_half_right_whatever_its_reward():
    terms = reward_terms(objective("reward-label"), {})
    tree = Tree([1], (Branch([2]),))
    for score in (2.0, -2.0):
        _, found = terms([Example("p", tree, labels=(0.5,))], torch.tensor([score]))
        assert found["accuracy"] == (0.5, 1.0)
