"""Reward models that learn more than a score: a run of each leaves what it learned."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import tiny
import torch
from ten_groups import judged
from transformers import AutoConfig, AutoModelForSequenceClassification

from suffrage.core.errors import RunError, SettingsError
from suffrage.core.files import read_json
from suffrage.core.records import Completion, Group, Judgment, Prompt
from suffrage.core.runs import RunDirectory
from suffrage.data.read import write_groups
from suffrage.models.scalar_head import load_reward, score_trees
from suffrage.objectives.table import objective
from suffrage.train.examples import make_examples
from suffrage.train.heads import Heads
from suffrage.train.run import train_offline

CPU = torch.device("cpu")


@pytest.fixture
def judged_file(tmp_path: Path) -> str:
    write_groups(tmp_path / "judged.jsonl", judged(10))
    return str(tmp_path / "judged.jsonl")


def test_ratings_leave_increasing_cutpoints_on_the_scale_of_the_saved_rewards(
    settings, tmp_path, judged_file
):
    run = settings("reward-rating", data=judged_file, epochs=30, lr=3e-3, holdout=0.2)
    train_offline(run, tmp_path / "run")
    rows = RunDirectory(tmp_path / "run").metrics
    assert rows[-1]["eval/loss"] > 0
    assert rows[-1]["loss"] < 0.8 * rows[1]["loss"]
    kept = AutoConfig.from_pretrained(tmp_path / "run" / "model").reward_cutpoints
    (ratings,), (grades,) = kept["rating"], kept["grade"]
    assert (len(ratings), len(grades)) == (6, 3)
    assert sorted(ratings) == ratings
    scalar = load_reward(tmp_path / "run", CPU)
    row = objective("reward-rating")
    examples, _ = make_examples(judged(10), scalar.base.encoder(), row)
    scores = score_trees(scalar, [e.tree for e in examples]).tolist()
    given = [(r.level, r.scale) for e in examples for r in e.ratings]
    assert len(scores) == sum(scale == "rating" for _, scale in given)
    likely = [1 + sum(score > cut for cut in ratings) for score in scores]
    levels = [level for level, scale in given if scale == "rating"]
    near = sum(abs(one - other) <= 1 for one, other in zip(likely, levels, strict=True))
    assert near > 0.6 * len(levels)  # blind guesses are as near 19 times in 49


def votes_of(raters: dict[str, float], prompts: int) -> list[Group]:
    """Prompts whose second answer is better; each rater says so with this share of the votes."""
    made = []
    for number in range(prompts):
        name = f"p{number}"
        answers = [("bad", f"no {number}"), ("good", f"singing {number}")]
        judgments = [
            Judgment(
                id=rater,
                prompt_id=name,
                rater=rater,
                kind="pair",
                value="b" if (number * step) % 10 < 10 * share else "a",
                completions=("bad", "good"),
            )
            for step, (rater, share) in zip((1, 3, 7, 9), raters.items(), strict=False)
        ]
        made.append(
            Group(
                prompt=Prompt(id=name, content=f"say {number} "),
                completions=tuple(Completion(id=i, prompt_id=name, text=t) for i, t in answers),
                judgments=tuple(judgments),
            )
        )
    return made


def test_the_reliability_of_each_rater_is_found_and_a_liar_is_read_backwards(settings, tmp_path):
    raters = {"Ann": 1.0, "Bob": 0.9, "Cid": 0.5, "Liar": 0.0}
    write_groups(tmp_path / "votes.jsonl", votes_of(raters, 40))
    run = settings(
        "reward-raters", data=str(tmp_path / "votes.jsonl"), epochs=30, batch_size=8, lr=3e-3,
        options={"prior": 1.0},
    )  # fmt: skip
    finished = train_offline(run, tmp_path / "run")
    found = read_json(tmp_path / "run" / "raters.json")
    assert list(found) == ["Liar", "Cid", "Bob", "Ann"]
    assert found["Ann"] > 0.9
    assert found["Bob"] == pytest.approx(0.9, abs=0.1)
    assert found["Cid"] == pytest.approx(0.5, abs=0.15)
    assert found["Liar"] < 0.15
    assert finished.metrics["reliability"] == pytest.approx(sum(found.values()) / 4, abs=0.03)
    assert train_offline(run, tmp_path / "run").reused


def test_a_killed_run_goes_on_with_the_reliabilities_it_had(settings, tmp_path, monkeypatch):
    write_groups(tmp_path / "votes.jsonl", votes_of({"Ann": 0.9, "Bob": 0.3}, 12))
    run = settings("reward-raters", data=str(tmp_path / "votes.jsonl"), checkpoint_every=2)
    train_offline(run, tmp_path / "whole")
    from suffrage.train import offline

    whole = offline.OfflineStep.__call__

    def killed(self: offline.OfflineStep, step: int) -> dict[str, float]:
        if step == 2:
            raise KeyboardInterrupt
        return whole(self, step)

    monkeypatch.setattr(offline.OfflineStep, "__call__", killed)
    with pytest.raises(KeyboardInterrupt):
        train_offline(run, tmp_path / "resumed")
    monkeypatch.undo()
    train_offline(run, tmp_path / "resumed")
    first, second = (read_json(tmp_path / name / "raters.json") for name in ("whole", "resumed"))
    assert first == second


def test_several_heads_are_trained_each_on_its_own_judgments(settings, tmp_path):
    """The north likes the second answers, the south the first: one head could please neither."""
    raters = {"Ann": 1.0, "Bob": 1.0, "Cid": 0.0}
    write_groups(tmp_path / "votes.jsonl", votes_of(raters, 12))
    groups = tmp_path / "groups.json"
    groups.write_text(json.dumps({"Ann": "north", "Bob": "north", "Cid": "south"}))
    run = settings(
        "reward", data=str(tmp_path / "votes.jsonl"), heads=str(groups), epochs=20, lr=3e-3
    )
    finished = train_offline(run, tmp_path / "run")
    assert finished.metrics["accuracy"] == 1
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run" / "model")
    assert theirs.config.id2label == {0: "north", 1: "south"}
    for name, sign in (("north", 1), ("south", -1)):
        scalar = load_reward(f"{tmp_path / 'run'}#{name}", CPU)
        examples, _ = make_examples(
            votes_of(raters, 12), scalar.base.encoder(), objective("reward")
        )
        scores = score_trees(scalar, [example.tree for example in examples])
        assert float(scores.mean()) == pytest.approx(0, abs=1e-4)
        bad, good = scores[0::2], scores[1::2]
        assert bool((sign * (good - bad) > 0).all())
    groups.write_text(json.dumps({"Ann": "north", "Cid": "south"}))
    with pytest.raises(RunError, match=r"what --heads names has changed since"):
        train_offline(run, tmp_path / "run")


@pytest.mark.parametrize("method", ["reward-rating", "reward-raters"])
def test_heads_go_with_what_is_learned_beside(settings, tmp_path, judged_file, method):
    heads = "criterion" if method == "reward-rating" else str(tmp_path / "groups.json")
    Path(tmp_path / "groups.json").write_text(json.dumps({"Ann": "north", "Cid": "south"}))
    run = settings(method, data=judged_file, heads=heads)
    finished = train_offline(run, tmp_path / "run")
    assert math.isfinite(finished.metrics["loss"])
    config = AutoConfig.from_pretrained(tmp_path / "run" / "model")
    if method == "reward-rating":
        assert [len(cuts) for cuts in config.reward_cutpoints["grade"]] == [3, 3]
    else:
        assert set(read_json(tmp_path / "run" / "raters.json")) == {"Ann", "Cid"}


def test_heads_and_adapters_go_together(settings, tmp_path, judged_file):
    pytest.importorskip("peft")
    of_raters = Heads(("Ann", "Cid"), lambda judgment: judgment.rater)
    groups = tmp_path / "groups.json"
    groups.write_text(json.dumps({name: name for name in of_raters.names}))
    same = {"data": judged_file, "heads": str(groups), "adapter": "lora", "rank": 2}
    tree = tiny.tree(1, 9, (4, 7))
    scores = []
    for kind in ("adapter", "merged"):
        train_offline(settings("reward", save=kind, **same), tmp_path / kind)
        scores.append(score_trees(load_reward(f"{tmp_path / kind}#Cid", CPU), [tree]))
    torch.testing.assert_close(scores[0], scores[1], rtol=1e-4, atol=1e-5)
    other = score_trees(load_reward(f"{tmp_path / 'adapter'}#Ann", CPU), [tree])
    assert not torch.allclose(scores[0], other, atol=1e-3)


def test_a_language_model_has_no_heads(settings, tmp_path, judged_file):
    with pytest.raises(SettingsError, match=r"dpo trains no reward model, so .* --heads; leave it"):
        train_offline(settings("dpo", data=judged_file, heads="criterion"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
