"""Every method that samples: its reward rises, it goes on after a kill, it stops with a cause."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from ten_groups import groups
from test_resume import killed

from suffrage.core.errors import SettingsError
from suffrage.core.files import read_jsonl
from suffrage.core.runs import RunDirectory
from suffrage.data.read import write_groups
from suffrage.models.language_model import load
from suffrage.train.rl.check import check
from suffrage.train.rl.run import train_online

METHODS = ["rloo", "grpo", "reinforce", "raft", "best-of-n", "online-dpo"]
LETTERS = "letters:share"  # how much of an answer are lower-case letters


@pytest.fixture(autouse=True)
def _letters(tmp_path, monkeypatch):
    (tmp_path / "letters.py").write_text(
        "def share(prompts, completions):\n"
        "    return [sum('a' <= c <= 'z' for c in text) / 8 for text in completions]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.fixture
def prompts(tmp_path: Path) -> str:
    write_groups(tmp_path / "prompts.jsonl", groups(8))
    return str(tmp_path / "prompts.jsonl")


def rewards_of(out: Path) -> list[float]:
    return [row["reward"] for row in RunDirectory(out).metrics if "reward" in row]


@pytest.mark.parametrize("method", [m for m in METHODS if m != "best-of-n"])
def test_the_reward_rises(method, settings, prompts, tmp_path):
    made = settings(
        method, data=prompts, epochs=20, batch_size=8, lr=1e-2,
        options={"samples": 4, "max_new_tokens": 8},
    )  # fmt: skip
    finished = train_online(made, LETTERS, tmp_path / "run")
    found = rewards_of(tmp_path / "run")
    assert sum(found[-4:]) / 4 > sum(found[:4]) / 4 + 0.15
    assert finished.notes[1] == "ended: all 20 steps are done"


def test_what_best_of_n_imitates_comes_from_the_model_as_given(settings, prompts, tmp_path):
    made = settings(
        "best-of-n", data=prompts, eval_data=prompts, epochs=20, batch_size=8, lr=1e-2,
        options={"samples": 4, "max_new_tokens": 8},
    )  # fmt: skip
    train_online(made, LETTERS, tmp_path / "run")
    rows = RunDirectory(tmp_path / "run").metrics
    assert all(abs(row["kl"]) < 1e-6 for row in rows[1:])
    assert all(row["best_reward"] >= row["reward"] for row in rows[1:])
    assert rows[-1]["eval/reward"] > rows[0]["eval/reward"] + 0.1
    shown = read_jsonl(tmp_path / "run" / "samples.jsonl")
    assert [row["step"] for row in shown] == [0] * 3 + [20] * 3
    assert shown[0]["completion"] != shown[3]["completion"]  # of the model that learns


def test_answers_to_held_out_prompts_are_shown_as_they_change(settings, prompts, tmp_path):
    made = settings(
        "rloo", data=prompts, eval_data=prompts, epochs=20, batch_size=8, lr=1e-2, eval_every=10,
        options={"samples": 2, "max_new_tokens": 8},
    )  # fmt: skip
    train_online(made, LETTERS, tmp_path / "run")
    shown = read_jsonl(tmp_path / "run" / "samples.jsonl")
    assert [row["step"] for row in shown] == [0] * 3 + [10] * 3 + [20] * 3
    last = RunDirectory(tmp_path / "run").metrics[-1]
    assert last["eval/reward_low"] < last["eval/reward"] < last["eval/reward_high"]
    assert [row["prompt"] for row in shown[:3]] == [group.prompt.text for group in groups(3)]
    for row in shown:
        share = sum("a" <= letter <= "z" for letter in row["completion"]) / 8
        assert row["rewards"] == {LETTERS: share}


@pytest.mark.parametrize(
    ("method", "moment", "options"),
    [
        ("raft", "rollout", {}),
        ("ppo", "update", {"critic": "trunk", "ema": 0.5, "kl_target": 0.5, "kl_horizon": 20.0}),
        ("grpo", "update", {"rollout_epochs": 3}),
        ("online-dpo", "rollout", {}),
    ],
)
def test_it_goes_on_after_a_kill(
    method, moment, options, settings, prompts, tmp_path, reward_folder
):
    more = {"pretraining": str(tmp_path / "pairs.jsonl")} if method == "ppo" else {}
    made = settings(
        method, data=prompts, eval_data=prompts, eval_every=1, epochs=4, checkpoint_every=1, **more,
        options={"samples": 2, "max_new_tokens": 6, **options},
    )  # fmt: skip
    out, whole = tmp_path / "run", tmp_path / "whole"
    killed(moment, made, str(reward_folder), out)
    assert [path.name for path in (out / "checkpoints").glob("step-*")] == ["step-00000004"]
    assert not (out / "done.json").exists()
    for folder in (out, whole):
        train_online(made, str(reward_folder), folder)
    for name in ("metrics.jsonl", "samples.jsonl"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    one, other = (load_file(next((f / "model").glob("*.safetensors"))) for f in (out, whole))
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_the_average_of_the_weights_is_what_is_saved(settings, prompts, tmp_path, model_folder):
    shared = {"data": prompts, "epochs": 1, "batch_size": 8, "lr": 1e-2}
    plain, averaged = {"samples": 2, "max_new_tokens": 4}, {}
    averaged = {**plain, "ema": 0.75}
    for name, options in (("plain", plain), ("average", averaged)):
        train_online(settings("rloo", **shared, options=options), LETTERS, tmp_path / name)
    start, last, average = (
        load(folder, "cpu").model.state_dict()
        for folder in (model_folder, tmp_path / "plain", tmp_path / "average")
    )
    moved = 0.0
    for name, weight in average.items():  # one update: a quarter of the way
        expected = start[name] + 0.25 * (last[name] - start[name])
        torch.testing.assert_close(weight, expected, rtol=0, atol=1e-6)
        moved = max(moved, float((last[name] - start[name]).abs().max()))
    assert moved > 1e-3


def test_with_an_average_what_is_evaluated_is_what_is_saved(settings, prompts, tmp_path):
    shared = {"data": prompts, "epochs": 6, "batch_size": 8, "lr": 1e-2, "eval_every": 1}
    options = {"samples": 2, "max_new_tokens": 8}
    for name, ema, more in (("plain", 0.0, {}), ("ema", 0.9, {}), ("kept", 0.9, {"patience": 1})):
        made = settings(
            "rloo", **shared, eval_data=prompts, **more, options={**options, "ema": ema}
        )
        train_online(made, LETTERS, tmp_path / name)
    plain, ema, kept = (RunDirectory(tmp_path / n).metrics for n in ("plain", "ema", "kept"))
    assert [row["reward"] for row in ema[1:]] == [row["reward"] for row in plain[1:]]
    assert ema[1]["eval/kl"] < plain[1]["eval/kl"]  # it has gone a tenth of the way
    assert kept == ema[: len(kept)]
    best = max(reversed(kept), key=lambda row: row["eval/reward"])
    again = settings("rloo", **{**shared, "epochs": 1}, eval_data=prompts, options=options)
    again = again.model_copy(update={"model": str(tmp_path / "kept")})
    train_online(again, LETTERS, tmp_path / "again")
    first = RunDirectory(tmp_path / "again").metrics[0]
    assert first["eval/reward"] == pytest.approx(best["eval/reward"])


def test_the_answers_shown_are_the_averages_too(settings, prompts, tmp_path):
    made = settings(
        "rloo", data=prompts, eval_data=prompts, epochs=6, batch_size=8, lr=1e-2,
        options={"samples": 2, "max_new_tokens": 8, "ema": 0.9999},
    )  # fmt: skip
    train_online(made, LETTERS, tmp_path / "run")
    shown = [row["completion"] for row in read_jsonl(tmp_path / "run" / "samples.jsonl")]
    assert shown[:3] == shown[3:]  # it has not gone anywhere yet
    assert RunDirectory(tmp_path / "run").metrics[-1]["kl"] > 0.01  # and the policy has


def test_best_of_n_stops_by_the_distance_of_the_model_that_learns(settings, prompts, tmp_path):
    made = settings(
        "best-of-n", data=prompts, eval_data=prompts, epochs=9, batch_size=8, lr=1e-2,
        eval_every=1, stop_kl=1e-3, options={"samples": 2, "max_new_tokens": 4},
    )  # fmt: skip
    finished = train_online(made, LETTERS, tmp_path / "run")
    assert finished.metrics["step"] < 9
    assert "past --stop-kl" in finished.notes[1]


def test_several_rewards_are_logged_apart_in_training_and_held_out(settings, prompts, tmp_path):
    (tmp_path / "short.py").write_text("def score(p, c):\n    return [-len(x) for x in c]\n")
    made = settings(
        "rloo", data=prompts, eval_data=prompts, epochs=2, batch_size=8, lr=1e-2,
        options={"samples": 4, "max_new_tokens": 8, "combine": "safety", "missing_end_penalty": 0},
    )  # fmt: skip
    given = [LETTERS, "-0.5*short:score", "0*short:score"]
    train_online(made, given, tmp_path / "run")
    rows = RunDirectory(tmp_path / "run").metrics
    for row, before in ((rows[1], ""), (rows[2], ""), (rows[0], "eval/"), (rows[2], "eval/")):
        # letters are never unsafe (sigmoid(0) = .5), so half the length is the reward
        wanted = -0.5 * row[f"{before}reward/short:score"]
        assert row[f"{before}reward"] == pytest.approx(wanted)


def test_under_the_safety_rule_the_scale_of_help_moves_no_policy(settings, prompts, tmp_path):
    (tmp_path / "short.py").write_text("def score(p, c):\n    return [-len(x) for x in c]\n")
    options = {"samples": 4, "max_new_tokens": 8, "combine": "safety", "kl_coef": 0.0}
    made = settings(
        "rloo", data=prompts, epochs=1, batch_size=8, lr=1e-2,
        options={**options, "missing_end_penalty": 0},
    )  # fmt: skip
    rows = {}
    for weight in (1, 5):
        train_online(made, [LETTERS, f"{weight}*short:score"], tmp_path / str(weight))
        [rows[weight]] = RunDirectory(tmp_path / str(weight)).metrics
    assert rows[5]["reward"] == pytest.approx(5 * rows[1]["reward"])
    assert rows[5]["grad_norm"] == pytest.approx(rows[1]["grad_norm"], rel=1e-4)


@pytest.mark.parametrize(
    ("stop", "cause"),
    [
        ({"stop_reward": -5.0}, "the reward reached"),
        ({"stop_kl": 1e-6}, "the KL to the reference reached"),
        ({"max_steps": 2}, "the most steps, 2, are done; --max-steps allows more"),
    ],
)
def test_each_stop_names_its_cause(stop, cause, settings, prompts, tmp_path):
    made = settings("rloo", data=prompts, epochs=30, lr=1e-2, options={"max_new_tokens": 4}, **stop)
    finished = train_online(made, LETTERS, tmp_path / "run")
    assert cause in finished.notes[1]
    assert cause in json.loads((tmp_path / "run" / "done.json").read_text())["ended"]
    assert finished.metrics["step"] < 10


def test_a_held_out_reward_that_no_longer_rises_is_a_cause(
    settings, prompts, tmp_path, monkeypatch
):
    made = settings(
        "rloo", data=prompts, eval_data=prompts, epochs=4, lr=1e-3, eval_every=1, patience=2,
        options={"max_new_tokens": 4},
    )  # fmt: skip
    falls = iter([0.5, 0.75, 0.7, 0.6])
    monkeypatch.setattr(
        "suffrage.train.rl.policy.PolicyStep.evaluate", lambda self, tasks: {"reward": next(falls)}
    )
    finished = train_online(made, LETTERS, tmp_path / "run")
    assert finished.notes[1] == "ended: the held-out reward has not risen for 2 evaluations"
    assert (finished.metrics["step"], finished.metrics["eval/reward"]) == (1, 0.75)


def test_a_run_that_stops_early_is_evaluated_where_it_stopped(settings, prompts, tmp_path):
    made = settings(
        "rloo", data=prompts, eval_data=prompts, epochs=30, lr=1e-2, stop_kl=1e-6,
        options={"max_new_tokens": 4},
    )  # fmt: skip
    finished = train_online(made, LETTERS, tmp_path / "run")
    assert finished.metrics["step"] < 30
    assert "eval/reward" in finished.metrics
    assert "--stop-kl" in finished.notes[1]


def test_a_reward_in_training_is_no_reason_to_stop_until_held_out_answers_have_it(
    settings, prompts, tmp_path, monkeypatch
):
    made = settings(
        "rloo", data=prompts, eval_data=prompts, epochs=4, lr=1e-6, stop_reward=-9.0,
        options={"max_new_tokens": 4},
    )  # fmt: skip
    low = {"reward": -10.0, "kl": 0.0}
    monkeypatch.setattr("suffrage.train.rl.policy.PolicyStep.evaluate", lambda self, tasks: low)
    finished = train_online(made, LETTERS, tmp_path / "run")
    assert "steps are done" in finished.notes[1]


def test_pretraining_text_stays_likely(settings, prompts, tmp_path):
    shared = {"data": prompts, "epochs": 15, "batch_size": 8, "lr": 1e-2}
    text = {"pretraining": str(tmp_path / "pairs.jsonl")}
    last = {}
    for name, more in (("plain", {}), ("mixed", text)):
        options = {"samples": 2, "max_new_tokens": 6}
        made = settings("ppo", **shared, **more, options=options)
        train_online(made, LETTERS, tmp_path / name)
        after = settings("sft", model=str(tmp_path / name), eval_data=text["pretraining"])
        last[name] = held_out_loss(after, tmp_path / f"{name}-loss")
    assert last["mixed"] < last["plain"] - 0.5


def held_out_loss(settings, out: Path) -> float:
    from suffrage.train.run import train_offline

    train_offline(settings, out)
    return RunDirectory(out).metrics[0]["eval/loss"]  # before the first step


@pytest.mark.parametrize(
    ("method", "options", "said"),
    [
        ("ppo", {"kl_in": "loss"}, "--kl-estimator k1 in the loss has a gradient of mean 0"),
        ("rloo", {"samples": 1}, "rloo compares answers to one prompt; ask for --samples 2"),
        ("online-dpo", {"samples": 1}, "online-dpo compares answers to one prompt"),
        ("raft", {"combine": "maxmin"}, "no winner can stand; add --winners new"),
        ("grpo", {"kl_target": 3.0, "kl_coef": 0.0}, "--kl-target scales --kl-coef, which is 0"),
    ],
)
def test_what_would_teach_nothing_is_refused(method, options, said, settings):
    with pytest.raises(SettingsError, match=said):
        check(settings(method, options=options), ["runs/reward"])


def test_what_is_refused_has_a_neighbour_that_is_not(settings):
    for method, options in (
        ("ppo", {"kl_in": "loss", "kl_estimator": "k3"}),
        ("rloo", {"samples": 2}),
        ("raft", {"combine": "lagrangian", "winners": "new"}),
        ("raft", {"combine": "safety"}),
        ("raft", {"combine": "ensemble"}),
    ):
        assert check(settings(method, options=options), ["runs/reward"]).samples >= 1


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("ppo", {"temperature": 0.6, "minibatches": 3, "rollout_epochs": 3}),
        ("ppo", {"critic": "trunk", "kl_target": 0.2, "whiten_rewards": "on", "ema": 0.9}),
        ("ppo", {"kl_in": "loss", "kl_estimator": "k2", "entropy_coef": 0.1, "lam": 1.0}),
        ("rloo", {"kl_estimator": "k3", "reward_scale": "reference", "reward_clip": 1.0}),
        ("grpo", {"group_scale": "none", "mean_over": "token", "missing_end": "set"}),
        ("reinforce", {"temperature": 1.5, "length_penalty": 0.1, "repetition_penalty": 1.0}),
    ],
    ids=lambda each: each if isinstance(each, str) else next(iter(each)),
)
def test_before_an_update_the_policy_is_the_one_that_sampled(
    method, options, settings, prompts, tmp_path
):
    made = settings(
        method, data=prompts, epochs=2, batch_size=8, lr=1e-2, microbatch_tokens=48,
        options={"samples": 2, "max_new_tokens": 8, **options},
    )  # fmt: skip
    train_online(made, LETTERS, tmp_path / "run")
    ratios = [row["ratio"] for row in RunDirectory(tmp_path / "run").metrics]
    assert ratios == [pytest.approx(1, abs=1e-5)] * 2
