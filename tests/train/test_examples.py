"""From groups to examples and batches, and the split by prompt."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st

from suffrage.core.errors import DataError, SettingsError
from suffrage.core.records import Group, Judgment, Preference, SoftPair
from suffrage.data.encode import Encoder
from suffrage.objectives.table import objective
from suffrage.train.examples import Batches, Example, make_examples
from suffrage.train.material import split_groups
from suffrage.train.terms import index_pairs

CPU = torch.device("cpu")
ENCODER = Encoder(tiny.tokenizer(), (2,), context=60)


def pair(first: int, second: int, probability: float = 1.0, weight: float = 1.0) -> SoftPair:
    return SoftPair(first=first, second=second, probability=probability, weight=weight)


def group(name: str, *texts: str, prompt: str = "say ", **views: object) -> Group:
    return tiny.group(name, prompt, texts, Preference(**views))


def answers(example: Example) -> list[str]:
    return [ENCODER.tokenizer.decode(branch.tokens) for branch in example.tree.branches]


def test_the_preferred_completion_comes_first_and_unused_ones_are_left_out():
    given_group = group(
        "p", "no", "bad", "good", "fair", pairs=(pair(1, 2, 0.2, 3), pair(3, 1, 0.5))
    )
    (made,), note = make_examples([given_group], ENCODER, objective("dpo"))
    assert answers(made) == ["bad</s>", "good</s>", "fair</s>"]
    assert made.pairs == (pair(1, 0, 0.8, 3), pair(2, 0, 0.5))
    assert (made.prompt_id, note) == ("p", "")


def test_a_prompt_of_weight_zero_is_left_out_and_another_keeps_its_own():
    light = group("p", "good", "bad", scores=(2, 1), weight=0.25)
    nothing = group("q", "good", "bad", scores=(2, 1), weight=0)
    for method in ("dpo", "kto", "pro", "sft", "conditional", "hindsight", "reward"):
        roomy = replace(ENCODER, context=200)
        (made,), note = make_examples([light, nothing], roomy, objective(method))
        assert (made.prompt_id, made.weight) == ("p", 0.25)
        assert note == "1 rows left out: their weight is 0"


def test_a_prompt_whose_raters_all_weigh_nothing_is_left_out():
    said = Judgment(
        id="j", prompt_id="q", rater="Bad", kind="pair", value="a", completions=("q-0", "q-1")
    )
    quiet = group("q", "good", "bad", raters={"Bad": 0})
    ids = tuple(one.id for one in quiet.completions)
    quiet = quiet.model_copy(update={"judgments": (said.model_copy(update={"completions": ids}),)})
    heard = group("p", "good", "bad", scores=(2, 1))
    for method in ("dpo", "sft", "reward"):
        (made,), note = make_examples([heard, quiet], ENCODER, objective(method))
        assert (made.prompt_id, note) == ("p", "1 rows left out: all their raters weigh 0")


def test_an_answer_somebody_wrote_is_imitated_whatever_its_prompts_voters_weigh():
    asked = group("p", "good", "bad", raters={"Bad": 0})
    both = tuple(one.id for one in asked.completions)
    vote = Judgment(id="1", prompt_id="p", rater="Bad", kind="pair", value="a", completions=both)
    said = Judgment(id="2", prompt_id="p", rater="Ann", kind="demonstration", value="best")
    others = asked.model_copy(update={"judgments": (vote, said)})
    (made,), note = make_examples([others], ENCODER, objective("sft"))
    assert (answers(made), note) == (["best</s>"], "")
    own = said.model_copy(update={"rater": "Bad"})
    alone = asked.model_copy(update={"judgments": (vote, own)})
    with pytest.raises(DataError, match="all their raters weigh 0"):
        make_examples([alone], ENCODER, objective("sft"))


def test_demonstrations_are_the_completions_to_imitate():
    shown = group("p", "bad", "good", demonstrations=(1,))
    best = group("q", "bad", "good", "best", scores=(1.0, 2.0, 3.0))
    made, _ = make_examples([shown, best], ENCODER, objective("sft"))
    assert [answers(example) for example in made] == [["good</s>"], ["best</s>"]]
    assert all(example.pairs == () for example in made)


def test_what_is_left_out_is_counted_by_reason():
    groups = [
        group("p", "a", "c", pairs=(pair(0, 1),)),
        group("tie", "a", "c", scores=(1.0, 1.0)),
        group("long", "a" * 80, "c", pairs=(pair(0, 1),)),
        group("longer", "a" * 90, "c", pairs=(pair(0, 1),)),
    ]
    skipping = Encoder(ENCODER.tokenizer, (2,), 60, "skip")
    made, note = make_examples(groups, skipping, objective("dpo"))
    assert [example.prompt_id for example in made] == ["p"]
    assert note == "1 rows left out: all completions tie; 2 rows left out: longer than 60 tokens"


def test_when_nothing_is_left_that_is_said():
    with pytest.raises(
        DataError, match=r"no row is left to train on: 1 rows .* tie; give dpo other"
    ):
        make_examples([group("t", "a", "c", scores=(1.0, 1.0))], ENCODER, objective("dpo"))


def test_pairs_are_counted_across_the_forest():
    groups = [
        group("p", "a", "c", pairs=(pair(0, 1, 0.75, 2.0),)),
        group("q", "a", "c", "e", pairs=(pair(0, 2), pair(1, 0, 0.5))),
    ]
    made, _ = make_examples(groups, ENCODER, objective("dpo"))
    index = index_pairs(made, CPU)
    assert index.first_P.tolist() == [0, 2, 3]
    assert index.second_P.tolist() == [1, 4, 2]
    assert index.probability_P.tolist() == [0.75, 1, 0.5]
    assert index.weight_P.tolist() == [2, 1, 1]
    assert index.group_P.tolist() == [0, 1, 1]


def test_examples_without_pairs_have_empty_tensors():
    index = index_pairs([], CPU)
    assert index.first_P.shape == index.weight_P.shape == torch.Size([0])


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 5), st.integers(0, 3))
def test_every_epoch_takes_every_example_once(size, batch_size, seed, epoch):
    batches = Batches(size, batch_size, seed)
    steps = range(epoch * batches.per_epoch, (epoch + 1) * batches.per_epoch)
    parts = [batches.at(step) for step in steps]
    assert sorted(i for part in parts for i in part) == list(range(size))
    assert all(len(part) == batch_size for part in parts[:-1])
    assert 1 <= len(parts[-1]) <= batch_size


def test_the_order_is_known_from_seed_and_epoch_alone():
    first = Batches(30, 7, seed=1)
    assert first.at(3) == Batches(30, 7, seed=1).at(3)
    assert first.at(0) != first.at(first.per_epoch)
    assert first.at(0) != Batches(30, 7, seed=2).at(0)
    assert first.at(0) != sorted(first.at(0))


GROUPS = [group(f"p{i}", "a", "c", prompt=f"prompt {i // 2}") for i in range(20)]


@given(st.sampled_from([0.1, 0.25, 0.5, 0.9]), st.integers(0, 20))
def test_no_prompt_is_on_both_sides(holdout, seed):
    kept, held = split_groups(GROUPS, holdout, seed)
    sides = [{g.prompt.text for g in side} for side in (kept, held)]
    assert not sides[0] & sides[1]
    assert [g for g in GROUPS if g in kept or g in held] == GROUPS
    assert len(sides[1]) == round(10 * holdout)
    assert split_groups(GROUPS, holdout, seed) == (kept, held)


def test_the_split_depends_on_the_seed_and_nothing_is_held_out_unasked():
    assert (
        len({tuple(g.prompt.text for g in split_groups(GROUPS, 0.3, s)[1]) for s in range(9)}) > 3
    )
    assert split_groups(GROUPS, 0.0, 0) == (GROUPS, [])


@pytest.mark.parametrize("holdout", [0.01, 0.99])
def test_a_split_that_leaves_a_side_empty_is_refused(holdout):
    with pytest.raises(SettingsError, match=r"of 10 prompts leaves one side empty; choose another"):
        split_groups(GROUPS, holdout, 0)
