"""What a method uses of a group, and the sentence for a group it cannot use."""

from __future__ import annotations

import pytest
import tiny

from suffrage.core.errors import PromptError
from suffrage.core.records import Group, Judgment, Preference, SoftPair
from suffrage.data.encode import Encoder
from suffrage.data.preferences import consensus
from suffrage.data.read import read_groups, write_groups
from suffrage.objectives.table import OBJECTIVES, objective
from suffrage.train.examples import make_examples
from suffrage.train.views import used_by

ENCODER = Encoder(tiny.tokenizer(), (2,), context=60)


def group(name: str, texts: int = 3, **views: object) -> Group:
    words = ("ab", "the sea", "singing", "中文")
    return tiny.group(name, "say ", words[:texts], Preference(**views))


LOOSE = group("loose", pairs=(SoftPair(first=0, second=1), SoftPair(first=1, second=2)))
LABELLED = group("thumbs", labels=(True, None, None))
SHOWN = group("shown", demonstrations=(1,))


def refusal(method: str, *groups: Group) -> str:
    with pytest.raises(PromptError) as caught:
        used_by(objective(method), consensus(groups[-1]), groups)
    return str(caught.value)


def test_a_refusal_names_what_is_held_what_is_missing_and_methods_that_could_learn():
    assert refusal("pro", LOOSE) == (
        "prompt 'loose' holds pairs only, and pro learns from a ranking, which needs every pair; "
        "every row here can feed "
        + ", ".join(like_it("pairs", "language"))
        + ", hindsight, sft, kto, bco, conditional, reward, reward-label."
    )


def like_it(view: str, learns: str) -> list[str]:
    return [r.name for r in OBJECTIVES.values() if r.view == view and r.learns == learns]


def test_methods_that_learn_a_reward_are_named_first_to_who_wants_one():
    assert "can feed reward-label, " in refusal("reward", LABELLED)
    assert "can feed kto, bco, " in refusal("dpo", LABELLED)


def test_only_methods_that_every_row_can_feed_are_named():
    assert refusal("dpo", SHOWN).endswith("every row here can feed sft.")
    both = refusal("dpo", LOOSE, LABELLED)
    assert "prompt 'thumbs'" in both
    assert "can feed kto, bco" in both  # winners and losers have labels, thumbs give no pairs
    assert "dpo-norm" not in both


def test_a_row_that_can_feed_nothing_says_so():
    assert refusal("kto", LABELLED, group("empty")) == (
        "prompt 'empty' holds no preference, and kto learns from labels or comparisons; no method "
        "can learn from every row, so keep rows of one kind."
    )


def test_the_sentence_names_file_and_row(tmp_path):
    file = tmp_path / "data.jsonl"
    write_groups(file, [group("whole", ranks=(1, 2, 3)), SHOWN])
    groups, report = read_groups(file)
    told = pytest.raises(PromptError, match=r"data\.jsonl, row 2: prompt 'shown' holds demonstr")
    with told, report.located():
        make_examples(groups, ENCODER, objective("rrhf"))


def test_an_answer_that_a_rater_wrote_is_imitated():
    """It becomes a completion of the group only in the consensus."""
    asked = tiny.group("p", "say ", ("ab",), Preference())
    wrote = Judgment(id="j", prompt_id="p", rater="ann", kind="demonstration", value="the sea")
    asked = asked.model_copy(update={"judgments": (wrote,)})
    (made,), _ = make_examples([asked], ENCODER, objective("sft"))
    (branch,) = made.tree.branches
    assert ENCODER.tokenizer.decode(branch.tokens) == "the sea</s>"
