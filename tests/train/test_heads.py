"""Several heads on one trunk: which judgments each learns from, and what it costs the batch."""

from __future__ import annotations

import json

import pytest
import tiny
import torch
from ten_groups import groups, judged

from suffrage.core.errors import DataError, PromptError, SettingsError
from suffrage.core.records import Preference
from suffrage.data.encode import Encoder
from suffrage.data.preferences import consensus
from suffrage.objectives.table import objective
from suffrage.train.beside import make_beside
from suffrage.train.examples import make_examples
from suffrage.train.heads import ONE, Heads, find_heads
from suffrage.train.reward_terms import reward_terms
from suffrage.train.terms import count_groups

ENCODER = Encoder(tiny.tokenizer(), (2,), context=60)
JUDGED = judged(6)
OF_VOTES = Heads(("Ann", "Cid"), lambda judgment: judgment.rater)


def heads(setting: str = "criterion") -> Heads:
    found = find_heads(setting, JUDGED)
    assert found is not None
    return found


def test_one_head_is_none_in_particular():
    assert find_heads(ONE, JUDGED) is None


def test_each_judgment_goes_to_the_head_of_its_criterion():
    assert heads().names == ("helpful", "honest")
    honest, helpful = (heads().split(JUDGED[1])[k] for k in (1, 0))
    assert {j.criterion for j in honest.judgments} == {"honest"}
    assert {j.kind for j in helpful.judgments} == {"rating"}
    assert len(honest.judgments) + len(helpful.judgments) == len(JUDGED[1].judgments)
    assert honest.preference is None


def test_what_prompt_and_raters_count_holds_for_every_head():
    preference = Preference(weight=3.0, raters={"Ann": 0.5}, scores=(1, 2))
    group = JUDGED[0].model_copy(update={"preference": preference})
    counted = Preference(weight=3.0, raters={"Ann": 0.5})
    assert [part.preference for part in heads().split(group)] == [counted, counted]
    examples, _ = make_examples([group], ENCODER, objective("reward"), heads=OF_VOTES)
    assert [part.example.weight for part in examples[0].parts] == [3.0] * 2


def test_a_rater_who_weighs_nothing_teaches_no_head():
    preference = Preference(raters={"Cid": 0})
    group = JUDGED[0].model_copy(update={"preference": preference})
    assert {j.rater for j in group.judgments} >= {"Ann", "Cid"}
    (made,), _ = make_examples([group], ENCODER, objective("reward"), heads=OF_VOTES)
    assert [part.example.head for part in made.parts] == [OF_VOTES.names.index("Ann")]
    quiet = group.model_copy(update={"preference": Preference(raters={"Ann": 0, "Cid": 0})})
    with pytest.raises(DataError, match="no head has a judgment to learn from"):
        make_examples([quiet], ENCODER, objective("reward"), heads=OF_VOTES)


def test_a_judgment_that_was_moved_to_another_head_leaves_the_first():
    """A correction may name another criterion than what it corrects."""
    group = JUDGED[0]
    first = next(j for j in group.judgments if j.criterion == "helpful")
    moved = first.model_copy(update={"id": "new", "criterion": "honest", "supersedes": first.id})
    helpful, honest = heads().split(group.model_copy(update={"judgments": (first, moved)}))
    assert (helpful.judgments, honest.judgments) == ((), (moved,))


def test_a_file_puts_raters_into_groups_and_leaves_others_out(tmp_path):
    file = tmp_path / "groups.json"
    file.write_text(json.dumps({"Ann": "north", "Cid": "south"}))
    found = heads(str(file))
    assert found.names == ("north", "south")
    raters = [{j.rater for j in part.judgments} for part in found.split(JUDGED[0])]
    assert raters == [{"Ann"}, {"Cid"}]  # Bob belongs nowhere


def test_what_cannot_make_two_heads_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"needs judgments for two heads or more, .* 'human'; "):
        heads("rater-kind")
    with pytest.raises(SettingsError, match=r"two heads or more, and the data has none; leave"):
        find_heads("criterion", groups(2))
    with pytest.raises(SettingsError, match=r"'mood'; it must be one of one, criterion, rater-k"):
        heads("mood")
    file = tmp_path / "groups.json"
    file.write_text('{"Ann": 1}')
    with pytest.raises(DataError, match=r"groups.json: is no JSON object of \{rater: group\}"):
        heads(str(file))


@pytest.mark.parametrize("name", ["reward", "reward-rating", "reward-label"])
def test_the_loss_of_several_heads_is_that_of_each_on_its_own_judgments(name):
    row = objective(name)
    options = row.check({})
    examples, _ = make_examples(JUDGED, ENCODER, row, heads=heads_for(name))
    beside = make_beside(row, options, examples, heads=2)
    generator = torch.Generator().manual_seed(3)
    total, expected, rows = 0.0, 0.0, 0
    for example in examples:
        score_BH = torch.randn(len(example.tree.branches), 2, generator=generator)
        loss, _ = reward_terms(row, options, beside)([example], score_BH)
        total += float(loss.detach())
        for part in example.parts:
            own_B = score_BH[list(part.branches), part.example.head]
            alone, _ = reward_terms(row, options, beside)([part.example], own_B)
            expected += float(alone.detach())
            rows += 1
    assert total == pytest.approx(expected)
    assert count_groups(examples) == rows > len(examples)


def heads_for(name: str) -> Heads:
    """Both heads can be fed: those of ratings by criterion, others by Ann's and Cid's votes."""
    return heads() if name == "reward-rating" else OF_VOTES


def test_a_head_sees_only_the_completions_it_is_told_of():
    """Bob grades the first answer of each prompt only, Ann rates all of them."""
    examples, _ = make_examples(JUDGED, ENCODER, objective("reward-rating"), heads=heads())
    made = examples[1]
    assert len(made.tree.branches) == 3
    helpful, honest = made.parts
    assert (helpful.branches, honest.branches) == ((0, 1, 2), (0,))
    assert (helpful.example.head, honest.example.head) == (0, 1)
    assert honest.example.tree.branches == made.tree.branches[:1]
    assert [r.scale for r in honest.example.ratings] == ["grade"]


def test_a_group_that_says_nothing_to_any_head_is_left_out():
    silent = consensus(groups(1)[0]).model_copy(update={"judgments": ()})
    made, note = make_examples([*JUDGED, silent], ENCODER, objective("reward"), heads=OF_VOTES)
    assert len(made) == len(JUDGED)
    assert note == "1 rows left out: no head has a judgment to learn from"


def test_a_refusal_names_what_the_judgments_of_that_head_can_feed():
    """Cid compares three answers of every other prompt by two pairs only, and rates none."""
    told = (
        r"'p1' holds pairs only, and reward-ranking learns from .*; every row here can feed reward,"
    )
    with pytest.raises(PromptError, match=told) as caught:
        make_examples(JUDGED, ENCODER, objective("reward-ranking"), heads=OF_VOTES)
    assert "reward-ranking," not in str(caught.value).partition("can feed")[2]
    assert "reward-rating" not in str(caught.value).partition("can feed")[2]
