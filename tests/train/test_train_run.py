"""A training run from settings to a finished folder, and what it refuses."""

from __future__ import annotations

import json
import math

import pytest
import tiny
import torch
from safetensors.torch import load_file
from ten_groups import groups

from suffrage.core.errors import DataError, NumericalError, RunError, SettingsError
from suffrage.core.files import write_jsonl
from suffrage.core.records import Preference
from suffrage.core.runs import RunDirectory
from suffrage.data.forest import pack
from suffrage.data.read import write_groups
from suffrage.models.forward import token_logps
from suffrage.models.language_model import load
from suffrage.models.precision import precision_of
from suffrage.models.scalar_head import load_reward, score_trees
from suffrage.objectives.table import objective
from suffrage.train.examples import make_examples
from suffrage.train.material import split_groups
from suffrage.train.run import train_offline
from suffrage.train.settings import learning_rate

METHODS = ("sft", "reward", "dpo")


@pytest.mark.parametrize("method", METHODS)
def test_a_run_leaves_everything_and_nothing_else(settings, tmp_path, method):
    finished = train_offline(settings(method, epochs=2, checkpoint_every=1), tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "done.json", "environment.json", "metrics.jsonl", "model", "settings.json", "timing.jsonl",
    ]  # fmt: skip
    rows = RunDirectory(tmp_path / "run").metrics
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]  # ten groups, four a step
    assert rows[-1]["epoch"] == 2
    assert all(math.isfinite(value) for row in rows for value in row.values())
    assert finished.metrics == rows[-1]
    assert not finished.reused
    card = (tmp_path / "run" / "model" / "README.md").read_text()
    assert f"| method | {method} |" in card
    assert load(tmp_path / "run", "cpu") if method != "reward" else True


def test_a_trained_model_loads_and_differs_from_its_start(settings, tmp_path, model_folder):
    train_offline(settings("sft", epochs=3, lr=1e-2), tmp_path / "run")
    before, after = load(model_folder, "cpu"), load(tmp_path / "run", "cpu")
    examples, _ = make_examples(groups(10), before.encoder(), objective("sft"))
    forest = pack([example.tree for example in examples])
    with torch.no_grad():
        likelihoods = [float(token_logps(b.model, forest).mean()) for b in (before, after)]
    assert likelihoods[1] > likelihoods[0] + 0.5


def test_a_reward_model_scores_its_training_answers_zero_on_average(settings, tmp_path):
    train_offline(settings("reward", epochs=2), tmp_path / "run")
    scalar = load_reward(tmp_path / "run", torch.device("cpu"))
    examples, _ = make_examples(groups(10), scalar.base.encoder(), objective("reward"))
    found = score_trees(scalar, [example.tree for example in examples])
    assert float(found.mean()) == pytest.approx(0, abs=1e-5)
    assert float(found.std()) > 0.01


def test_of_many_prompts_some_are_enough_for_the_zero(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("suffrage.train.run.CENTRED_ON", 4)
    train_offline(settings("reward", epochs=2), tmp_path / "run")
    scalar = load_reward(tmp_path / "run", torch.device("cpu"))
    examples, _ = make_examples(groups(10), scalar.base.encoder(), objective("reward"))
    every_third = score_trees(scalar, [example.tree for example in examples[::3]])
    assert float(every_third.mean()) == pytest.approx(0, abs=1e-5)
    whole = score_trees(scalar, [example.tree for example in examples])
    assert abs(float(whole.mean())) > 1e-4


def test_the_same_run_again_is_reused(settings, tmp_path):
    first = train_offline(settings("dpo"), tmp_path / "run")
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    again = train_offline(settings("dpo"), tmp_path / "run")
    assert again.reused
    assert again.metrics == first.metrics
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == written


@pytest.mark.parametrize("method", METHODS)
def test_what_was_left_open_is_told_as_resolved(settings, tmp_path, model_folder, method):
    rate = learning_rate(method, 1_000_000)  # the tiny model has fewer than 1 M parameters
    left_open = settings(method, lr=None, device="auto", warmup=0.0)
    train_offline(left_open, tmp_path / "run")
    said = json.loads((tmp_path / "run" / "settings.json").read_text())
    weights = load_file(model_folder / "model.safetensors")
    assert said["resolved"] == {
        "lr": rate,
        "device": str(load(model_folder).device),
        "precision": precision_of("auto", load(model_folder).device),
        "layout": "row",
        "parameters": sum(tensor.numel() for tensor in weights.values()),
    }
    assert (said["lr"], said["device"]) == (None, "auto")
    assert RunDirectory(tmp_path / "run").metrics[0]["lr"] == rate


def test_a_given_rate_is_what_was_resolved_and_another_device_may_take_the_run_up(
    settings, tmp_path
):
    train_offline(settings("sft", lr=3e-4), tmp_path / "run")
    file = tmp_path / "run" / "settings.json"
    said = json.loads(file.read_text())
    assert (said["resolved"]["lr"], said["resolved"]["device"]) == (3e-4, "cpu")
    file.write_text(json.dumps({**said, "resolved": {**said["resolved"], "device": "cuda:0"}}))
    assert train_offline(settings("sft", lr=3e-4), tmp_path / "run").reused


def test_two_runs_of_the_same_settings_are_the_same(settings, tmp_path):
    for name in ("one", "two"):
        train_offline(settings("dpo", epochs=2), tmp_path / name)
    one, two = (tmp_path / name for name in ("one", "two"))
    assert (one / "metrics.jsonl").read_bytes() == (two / "metrics.jsonl").read_bytes()
    weights = [load_file(run / "model" / "model.safetensors") for run in (one, two)]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def test_other_settings_in_the_same_folder_are_refused_by_name(settings, tmp_path):
    train_offline(settings("dpo"), tmp_path / "run")
    with pytest.raises(RunError, match=r"\(seed is 0 there and 1 here\); choose another --out"):
        train_offline(settings("dpo", seed=1), tmp_path / "run")
    with pytest.raises(RunError, match=r"\(method is 'dpo' there and 'sft' here\)|options"):
        train_offline(settings("sft"), tmp_path / "run")
    with pytest.raises(RunError, match=r"options is .*0\.1.* there and .*0\.3.* here"):
        train_offline(settings("dpo", options={"beta": 0.3}), tmp_path / "run")


def test_an_option_given_as_its_default_is_no_other_run(settings, tmp_path):
    train_offline(settings("dpo"), tmp_path / "run")
    assert train_offline(settings("dpo", options={"beta": 0.1}), tmp_path / "run").reused


def test_changed_data_is_refused(settings, tmp_path, pairs_file):
    train_offline(settings("dpo"), tmp_path / "run")
    write_groups(pairs_file, groups(9))
    with pytest.raises(RunError, match=r"holds another run \(what --data names has changed"):
        train_offline(settings("dpo"), tmp_path / "run")


def test_a_wrong_option_or_method_writes_nothing(settings, tmp_path):
    with pytest.raises(SettingsError, match=r"sft has no option 'beta'"):
        train_offline(settings("sft", options={"beta": 0.1}), tmp_path / "run")
    with pytest.raises(SettingsError, match=r"no method 'dop'; did you mean 'dpo'\?"):
        train_offline(settings("dop"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_held_out_prompts_are_evaluated_at_start_and_end(settings, tmp_path):
    train_offline(settings("dpo", holdout=0.3, epochs=3, lr=1e-2), tmp_path / "run")
    rows = RunDirectory(tmp_path / "run").metrics
    evaluated = [row for row in rows if "eval/loss" in row]
    assert [row["step"] for row in evaluated] == [0, 6]  # seven groups left, four a step
    assert evaluated[0]["eval/loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert evaluated[0]["eval/accuracy"] == 0.5
    assert abs(evaluated[1]["eval/margin"]) > 1e-4


def test_another_file_can_be_evaluated_on(settings, tmp_path):
    write_groups(tmp_path / "other.jsonl", groups(14)[10:])
    run = settings("sft", eval_data=str(tmp_path / "other.jsonl"), eval_every=1)
    train_offline(run, tmp_path / "run")
    rows = RunDirectory(tmp_path / "run").metrics
    assert all("eval/loss" in row for row in rows)
    assert len(rows) == 4


def test_held_out_rows_that_cannot_be_used_are_told_as_such(settings, tmp_path):
    tied = tiny.group("t", "q? ", ("a", "b"), Preference(scores=(2.5, 2.5)))
    write_groups(tmp_path / "tied.jsonl", [tied])
    with pytest.raises(
        DataError,
        match=r"^no held-out row is left to evaluate on: 1 rows left out: all completions tie; "
        r"give dpo another --eval-data\.$",
    ):
        train_offline(settings("dpo", eval_data=str(tmp_path / "tied.jsonl")), tmp_path / "run")
    held = split_groups(groups(10), 0.1, 0)[1][0]  # the one prompt that the seed holds out
    rows = [
        g.model_copy(update={"preference": Preference(scores=(2.5,) * len(g.completions))})
        if g.prompt.text == held.prompt.text
        else g
        for g in groups(10)
    ]
    write_groups(tmp_path / "mixed.jsonl", rows)
    mixed = settings("dpo", data=str(tmp_path / "mixed.jsonl"), holdout=0.1)
    with pytest.raises(DataError, match=r"^no held-out row is .*; give dpo another --holdout\.$"):
        train_offline(mixed, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("method", METHODS)
def test_weights_that_are_no_numbers_stop_the_run_and_name_the_prompts(
    settings, tmp_path, method, monkeypatch
):
    """After two steps the weights are spoilt: the third says so, and never are they kept."""
    from suffrage.train import offline

    whole, calls = offline.OfflineStep.__call__, []

    def spoil(self: offline.OfflineStep, step: int) -> dict[str, float]:
        calls.append(step)
        if step == 2:
            module = self.optimiser.modules["model"]
            next(module.parameters()).data.fill_(float("nan"))
        return whole(self, step)

    monkeypatch.setattr(offline.OfflineStep, "__call__", spoil)
    run = settings(method, epochs=2, checkpoint_every=1)
    with pytest.raises(NumericalError, match=r"the loss is nan at step 3, on prompts p\d, p\d"):
        train_offline(run, tmp_path / "run")
    assert calls == [0, 1, 2]
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000001"]
    assert not (tmp_path / "run" / "model").exists()
    monkeypatch.undo()
    train_offline(run, tmp_path / "run")
    train_offline(run, tmp_path / "whole")
    metrics = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("run", "whole")]
    assert metrics[0] == metrics[1]


def test_a_held_out_loss_that_is_no_number_stops_the_run(settings, tmp_path, monkeypatch):
    from suffrage.train import offline

    broken = {"loss": math.nan, "accuracy": 0.5}
    monkeypatch.setattr(offline.OfflineStep, "evaluate", lambda self, held_out: broken)
    with pytest.raises(NumericalError, match="the loss of the held-out data is nan"):
        train_offline(settings("dpo", holdout=0.2), tmp_path / "run")


def test_patience_needs_something_held_out(settings, tmp_path):
    with pytest.raises(SettingsError, match=r"--patience 2 .* give --holdout or --eval-data"):
        train_offline(settings("dpo", patience=2), tmp_path / "run")
    with pytest.raises(SettingsError, match=r"--patience 2 counts evaluations.* give --eval-every"):
        train_offline(settings("dpo", patience=2, holdout=0.2), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("method", ["dpo", "simpo", "reward"])
def test_a_pair_without_weight_is_as_if_it_were_not_there(settings, tmp_path, method):
    pair = {"first": 0, "second": 1}
    rows = [group.model_dump(mode="json") for group in groups(10)]
    for number, row in enumerate(rows):
        row |= {"judgments": [], "preference": {"pairs": [pair | {"weight": float(number > 4)}]}}
    runs = {"all": rows, "some": rows[5:], "none": rows[:5]}
    for name, kept in runs.items():
        write_jsonl(tmp_path / f"{name}.jsonl", kept)
    found = []
    for name in ("all", "some"):
        data = str(tmp_path / f"{name}.jsonl")
        train_offline(settings(method, data=data, eval_data=data), tmp_path / name)
        found.append((tmp_path / name / "metrics.jsonl").read_text())
    assert found[0] == found[1]
    with pytest.raises(DataError):
        train_offline(settings(method, data=str(tmp_path / "none.jsonl")), tmp_path / "none")


def test_rows_too_long_are_refused_skipped_or_cut(settings, tmp_path):
    with pytest.raises(DataError, match=r"'p\d' is too long: .* the limit is 20; pass --overlong"):
        train_offline(settings("dpo", max_length=20), tmp_path / "refuse")
    skipped = train_offline(settings("dpo", max_length=22, overlong="skip"), tmp_path / "skip")
    assert any("rows left out: longer than 22 tokens" in note for note in skipped.notes)
    cut = train_offline(settings("dpo", max_length=20, overlong="cut"), tmp_path / "cut")
    assert not any("left out" in note for note in cut.notes)


def test_part_of_an_epoch_is_a_whole_number_of_steps(settings, tmp_path):
    train_offline(settings("sft", epochs=0.5), tmp_path / "run")
    rows = RunDirectory(tmp_path / "run").metrics
    assert [(row["step"], row["epoch"]) for row in rows] == [(1, 0.3333), (2, 0.6667)]


@pytest.mark.parametrize("method", ["dpo", "reward"])
def test_recomputed_activations_change_no_figure(settings, tmp_path, method, monkeypatch):
    monkeypatch.setattr("suffrage.data.forest.LONG_TREE", 0)  # so that trees would lie in a row
    plain = train_offline(settings(method), tmp_path / "plain")
    again = train_offline(settings(method, gradient_checkpointing="on"), tmp_path / "again")
    expected = {**plain.metrics, "waste": again.metrics["waste"]}
    assert again.metrics == pytest.approx(expected, rel=1e-4)


def test_half_precision_trains_single_precision_weights(settings, tmp_path):
    exact = train_offline(settings("dpo"), tmp_path / "exact")
    half = train_offline(settings("dpo", precision="bf16"), tmp_path / "half")
    assert half.metrics != exact.metrics
    assert half.metrics["loss"] == pytest.approx(exact.metrics["loss"], rel=0.05)
    weights = load_file(tmp_path / "half" / "model" / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
