"""A head a rater: where the heads start, what holds them together, whom each of them pleases."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import tiny
import torch
from ten_groups import judged
from test_train_rewards import votes_of

from suffrage.data.read import write_groups
from suffrage.models.scalar_head import from_language_model, load_reward, score_trees
from suffrage.objectives.table import objective
from suffrage.train import personal
from suffrage.train.examples import Example, Part, make_examples
from suffrage.train.heads import find_heads
from suffrage.train.personal import deviations, with_prior
from suffrage.train.run import train_offline

CPU = torch.device("cpu")
WEIGHT_HD = torch.tensor([[1.0, 2.0], [3.0, 6.0]])  # around (2, 4)


def test_each_rater_has_a_head_and_they_start_as_one():
    found = find_heads("raters", judged(4))
    assert found is not None
    assert (found.names, found.alike) == (("Ann", "Bob", "Cid"), True)
    kinds = find_heads("criterion", judged(4))
    assert kinds is not None
    assert not kinds.alike
    made = from_language_model(tiny.bundle(), 3, found.names, alike=True)
    alone = from_language_model(tiny.bundle(), 3)
    assert torch.equal(made.weight_HD, alone.weight_HD.expand(3, -1))


def test_what_deviations_cost_worked_by_hand(monkeypatch):
    assert deviations(WEIGHT_HD).tolist() == [[-1, -2], [1, 2]]
    monkeypatch.setattr(personal, "SHRINKAGE", 0.5)
    scalar = SimpleNamespace(weight_HD=WEIGHT_HD.clone().requires_grad_())
    part = Part((0,), Example("p", tiny.tree(1, 4, (2,))))
    batch = [Example("p", part.example.tree, parts=(part, part)), Example("q", part.example.tree)]
    terms = with_prior(lambda examples, score: (score.sum(), {}), scalar, 12)  # type: ignore[arg-type]
    total, _ = terms(batch, torch.tensor([0.75]))
    # .5 / 2 (1 + 4 + 1 + 4) = 2.5, of which three parts of twelve pay a quarter
    assert total.item() == pytest.approx(0.75 + 0.625)
    total.backward()
    # .5 d_r / 4: a mean that moves along costs nothing
    assert scalar.weight_HD.grad.tolist() == [[-0.125, -0.25], [0.125, 0.25]]
    with torch.no_grad():
        assert float(terms(batch, torch.tensor([0.75]))[0]) == 0.75


def lead(run: str) -> float:
    """By how much the good answers lead."""
    scalar = load_reward(run, CPU)
    groups = votes_of({"Ann": 1.0}, 8)
    examples, _ = make_examples(groups, scalar.base.encoder(), objective("reward"))
    scores = score_trees(scalar, [example.tree for example in examples])
    return float((scores[1::2] - scores[0::2]).mean())


def test_raters_who_disagree_are_each_heard_and_one_vote_moves_little(settings, tmp_path):
    groups = votes_of({"Ann": 1.0, "Bob": 1.0, "Cid": 0.0}, 12)
    once = groups[0].judgments[2].model_copy(update={"id": "Dot", "rater": "Dot"})  # as Cid would
    groups[0] = groups[0].model_copy(update={"judgments": (*groups[0].judgments, once)})
    write_groups(tmp_path / "votes.jsonl", groups)
    made = settings(
        "reward", data=str(tmp_path / "votes.jsonl"), heads="raters", epochs=20, lr=3e-3
    )
    run = tmp_path / "run"
    train_offline(made, run)
    leads = {name: lead(f"{run}#{name}") for name in ("Ann", "Bob", "Cid", "Dot")}
    assert min(leads["Ann"], leads["Bob"]) > 0.5
    assert leads["Cid"] < -0.5
    common = lead(str(run))
    assert common == pytest.approx(sum(leads.values()) / 4, abs=1e-4)
    assert abs(leads["Dot"] - common) < 0.7 * abs(leads["Cid"] - common)
    assert train_offline(made, run).reused


def test_a_strong_prior_leaves_one_reward(settings, tmp_path, monkeypatch):
    write_groups(tmp_path / "votes.jsonl", votes_of({"Ann": 1.0, "Bob": 0.0}, 12))
    made = settings(
        "reward", data=str(tmp_path / "votes.jsonl"), heads="raters", epochs=20, lr=3e-3
    )
    apart = []
    for name, strength in (("weak", 1.0), ("strong", 1e5)):
        monkeypatch.setattr(personal, "SHRINKAGE", strength)
        train_offline(made, tmp_path / name)
        apart.append(lead(f"{tmp_path / name}#Ann") - lead(f"{tmp_path / name}#Bob"))
    assert apart[0] > 1
    assert abs(apart[1]) < 0.2 * apart[0]
