"""Methods that learn from single answers, and reward models, against TRL."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch
from torch.nn.functional import logsigmoid
from transformers import AutoModelForSequenceClassification
from trl_oracle import (
    DOWN,
    TEXTS,
    TOKENS,
    UP,
    VOTES,
    assert_equal,
    computed,
    examples_of,
    make_trainer,
    our_reward,
    ours,
    pair_groups,
    pair_rows,
    policy_model,
    quiet,
    theirs,
)

from suffrage.core.records import Group, Preference
from suffrage.models.scalar_head import ScalarModel, from_language_model
from suffrage.train.reference import reference_sums

LABELS = (True, False, True, True, False)


def labelled_groups(labels: tuple[bool, ...] = LABELS) -> list[Group]:
    """One answer a prompt, desirable or not."""
    return [
        tiny.group(f"p{i}", prompt, texts[:1], Preference(labels=(labels[i],)))
        for i, (prompt, texts) in enumerate(TEXTS)
    ]


def test_sft_is_that_of_trl_over_all_answers_of_a_prompt(tmp_path):
    groups = [
        tiny.group(f"p{i}", prompt, texts, Preference(demonstrations=tuple(range(len(texts)))))
        for i, (prompt, texts) in enumerate(TEXTS)
    ]
    rows = [{"prompt": prompt, "completion": text} for prompt, texts in TEXTS for text in texts]
    found = ours("sft", groups)
    assert_equal(found, theirs("SFT", rows, tmp_path, completion_only_loss=True))


@pytest.mark.parametrize(
    ("labels", "moved"), [(LABELS, UP), (LABELS, DOWN), ((True,) * 5, UP), ((False,) * 5, UP)]
)
def test_kto_is_that_of_trl_with_its_rows_in_reverse(labels, moved, tmp_path):
    """TRL pairs a prompt with the answer of the row before it, we with that of the row after.

    Moved up, the estimate of the KL is above 0; moved down, it is below and counts as 0.
    """
    groups = labelled_groups(labels)
    made = examples_of("kto", groups)
    reference = torch.stack([example.reference_B for example in made])
    strangers = (reference_sums(policy_model(moved), made, TOKENS).view(-1, 2) - reference)[:, 1]
    assert (float(strangers.mean()) > 0.1) == (moved == UP)
    rows = [
        {"prompt": group.prompt.content, "completion": group.completions[0].text, "label": label}
        for group, label in zip(groups, labels, strict=True)
    ]
    options = {"beta": 0.3, "desirable_weight": 1.3, "undesirable_weight": 0.6, "moved": moved}
    sampling = {"train_sampling_strategy": "sequential"}
    found = ours("kto", groups, **options)
    assert_equal(found, theirs("KTO", rows[::-1], tmp_path, **options, **sampling))


def test_bco_is_the_pairwise_one_of_trl_with_the_reference_shifted_by_delta(tmp_path):
    """TRL has it for pairs only and leaves delta out; -log sg(r - delta) is -log sg(r) of a
    reference that is delta / beta likelier."""
    beta, pairs = 0.3, [(prompt, texts[:2]) for prompt, texts in TEXTS]
    groups = [
        tiny.group(f"p{i}", prompt, texts, Preference(labels=(True, False)))
        for i, (prompt, texts) in enumerate(pairs)
    ]
    rows = [{"prompt": p, "chosen": good, "rejected": bad} for p, (good, bad) in pairs]
    made = examples_of("bco", groups)
    reference = torch.stack([example.reference_B for example in made])
    ratio = reference_sums(policy_model(), made, TOKENS).view(-1, 2) - reference
    shift = ratio.mean()  # both kinds are equally many: the mean of the two means
    assert abs(float(shift)) > 0.1
    found = ours("bco", groups, beta=beta)
    inputs = {
        "ref_chosen_logps": reference[:, 0] + shift,
        "ref_rejected_logps": reference[:, 1] + shift,
    }
    options = {"loss_type": ["bco_pair"], "beta": beta, "precompute_ref_log_probs": True}
    loss, slope = theirs("DPO", rows, tmp_path, inputs=inputs, **options)
    # theirs is a mean over pairs, ours over answers
    assert_equal(found, (loss / 2, slope / 2))
    plain = -logsigmoid(beta * ratio * torch.tensor([1.0, -1.0])).mean()
    assert found[0] != pytest.approx(float(plain), rel=1e-3)


# --------------------------------------------------------------------------- reward models


@pytest.fixture
def reward_folder(tmp_path: Path) -> Path:
    from_language_model(policy_model(), seed=3).base.save(tmp_path / "reward")
    return tmp_path / "reward"


@pytest.mark.parametrize("centring", [0.0, 0.07])
@pytest.mark.parametrize("margin", [0.0, 0.6])
def test_the_reward_loss_is_that_of_trl(centring, margin, reward_folder, tmp_path):
    groups = pair_groups(hard=True, weighted=False, only_two=True)
    rows = pair_rows(groups)[::VOTES]
    if margin:
        rows = [{**row, "margin": margin} for row in rows]
    scalar = ScalarModel(from_language_model(policy_model(), seed=3).base)
    found = our_reward(scalar, groups, centring=centring, margin=margin)
    with quiet():
        model = AutoModelForSequenceClassification.from_pretrained(reward_folder)
        options = {"center_rewards_coefficient": centring or None, "disable_dropout": True}
        trainer = make_trainer("Reward", model, rows, tmp_path, **options)
    assert_equal(found, computed(trainer))
