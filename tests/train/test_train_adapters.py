"""Training with adapters: what is learned, what it is held against, and what a run leaves."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file
from ten_groups import groups
from test_resume import compare, killed
from torch import Tensor

from suffrage.cli.main import main
from suffrage.core.errors import ModelError, RunError, SettingsError
from suffrage.core.runs import RunDirectory
from suffrage.data.forest import pack
from suffrage.data.read import read_groups, write_groups
from suffrage.models.adapters import AdapterSettings, add
from suffrage.models.forward import branch_sums, token_logps
from suffrage.models.language_model import LanguageModel, load
from suffrage.models.scalar_head import load_reward, score_trees
from suffrage.objectives.online import PPOOptions
from suffrage.objectives.table import objective
from suffrage.train.examples import make_examples
from suffrage.train.rl.run import prepare, train_online
from suffrage.train.run import train_offline
from suffrage.train.settings import learning_rate

LOW_RANK = ("lora", "dora")
OF_TOKENS = ("prefix", "prompt")
TREES = [tiny.tree(1, 9, (4, 21, 13)), tiny.tree(2, 3, (11, 2))]
SHORT = {"samples": 2, "max_new_tokens": 6}


def logps(bundle: LanguageModel) -> Tensor:
    with torch.no_grad():
        return token_logps(bundle.model, pack(TREES, bundle.layout))


@pytest.fixture(autouse=True)
def base_stays(model_folder):
    """No run touches the model that it starts from."""
    before = (model_folder / "model.safetensors").read_bytes()
    yield
    assert (model_folder / "model.safetensors").read_bytes() == before


@pytest.fixture
def prompts_file(tmp_path) -> str:
    write_groups(tmp_path / "prompts.jsonl", groups(8))
    return str(tmp_path / "prompts.jsonl")


@pytest.fixture
def plain_pairs(tmp_path) -> str:
    """Six pairs, each as sure and as weighty as the others."""
    pairs = [tiny.group(f"q{i}", f"what {i}? ", (f"the sea {i}", "ab" * i)) for i in range(1, 7)]
    write_groups(tmp_path / "plain.jsonl", pairs)
    return str(tmp_path / "plain.jsonl")


@pytest.mark.parametrize(
    ("method", "adapter"),
    [(m, a) for m in ("sft", "dpo") for a in LOW_RANK + OF_TOKENS] + [("reward", "lora")],
)
def test_a_run_learns_and_leaves_the_adapter(settings, tmp_path, model_folder, method, adapter):
    made = settings(method, adapter=adapter, rank=4, virtual_tokens=6, epochs=8, lr=2e-2)
    finished = train_offline(made, tmp_path / "run")
    rows = RunDirectory(tmp_path / "run").metrics
    assert finished.metrics == rows[-1]
    early, late = (sum(row["loss"] for row in part) for part in (rows[:3], rows[-3:]))
    assert late < 0.97 * early
    assert sorted(path.name for path in (tmp_path / "run" / "model").iterdir()) == [
        "README.md", "adapter_config.json", "adapter_model.safetensors", "config.json",
        "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    said = json.loads((tmp_path / "run" / "model" / "adapter_config.json").read_text())
    assert said["base_model_name_or_path"] == str(model_folder)
    assert train_offline(made, tmp_path / "run").reused
    if method != "reward":
        trained, start = (load(place, "cpu") for place in (tmp_path / "run", model_folder))
        assert float((logps(trained) - logps(start)).abs().max()) > 0.05


@pytest.mark.parametrize("adapter", LOW_RANK + OF_TOKENS)
def test_the_reference_of_dpo_is_the_model_without_the_adapter(
    settings, tmp_path, model_folder, plain_pairs, adapter
):
    """The loss before any step is log 2 of an identity; virtual tokens are none at the start."""
    made = settings(
        "dpo", data=plain_pairs, eval_data=plain_pairs, adapter=adapter, virtual_tokens=6,
        seed=3, options={"beta": 0.7},
    )  # fmt: skip
    train_offline(made, tmp_path / "run")
    found = RunDirectory(tmp_path / "run").metrics[0]["eval/loss"]
    alone = load(model_folder, "cpu")
    start = add(load(model_folder, "cpu"), AdapterSettings(adapter, virtual_tokens=6), seed=3)
    examples, _ = make_examples(read_groups(plain_pairs)[0], alone.encoder(), objective("dpo"))
    losses = []
    with torch.no_grad():
        for example in examples:
            forest = pack([example.tree], "plain")
            with_it, without = (
                branch_sums(token_logps(b.model, forest), forest) for b in (start, alone)
            )
            better, worse = (with_it - without).tolist()
            losses.append(math.log(1 + math.exp(-0.7 * (better - worse))))
    assert found == pytest.approx(sum(losses) / 6, abs=1e-4)
    assert (abs(found - math.log(2)) < 1e-6) == (adapter in LOW_RANK)


@pytest.mark.parametrize("adapter", LOW_RANK)
def test_a_merged_run_is_a_plain_model_of_the_same_numbers(settings, tmp_path, adapter):
    for save in ("adapter", "merged"):
        train_offline(settings("dpo", adapter=adapter, save=save, lr=2e-2), tmp_path / save)
    folder = tmp_path / "merged" / "model"
    assert (folder / "model.safetensors").exists()
    assert not (folder / "adapter_config.json").exists()
    adapted, merged = (load(tmp_path / save, "cpu") for save in ("adapter", "merged"))
    torch.testing.assert_close(logps(merged), logps(adapted), rtol=0, atol=1e-5)
    logs = [(tmp_path / save / "metrics.jsonl").read_bytes() for save in ("adapter", "merged")]
    assert logs[0] == logs[1]


@pytest.mark.parametrize("save", ["adapter", "merged"])
def test_a_reward_model_of_an_adapter_scores_its_training_answers_zero(settings, tmp_path, save):
    train_offline(settings("reward", adapter="lora", save=save, epochs=2, lr=1e-2), tmp_path / "r")
    scalar = load_reward(tmp_path / "r", torch.device("cpu"))
    examples, _ = make_examples(groups(10), scalar.base.encoder(), objective("reward"))
    found = score_trees(scalar, [example.tree for example in examples])
    assert abs(scalar.offset) > 1e-3
    assert float(found.mean()) == pytest.approx(0, abs=1e-5)
    assert float(found.std()) > 0.01


@pytest.mark.parametrize("adapter", ["lora", "prompt", "prefix"])
def test_ppo_of_an_adapter_starts_at_its_reference_and_leaves_it(
    settings, tmp_path, prompts_file, reward_folder, adapter
):
    """A prefix is no identity, so its policy stands apart from the first step on."""
    made = settings(
        "ppo", data=prompts_file, adapter=adapter, virtual_tokens=6, epochs=3, lr=2e-2,
        options=SHORT,
    )  # fmt: skip
    finished = train_online(made, str(reward_folder), tmp_path / "run")
    rows = RunDirectory(tmp_path / "run").metrics
    assert len(rows) == 6
    assert all(row["ratio"] == pytest.approx(1, abs=1e-5) for row in rows)
    assert (abs(rows[0]["kl"]) < 1e-6) == (adapter == "lora")
    assert abs(finished.metrics["kl"]) > 1e-3
    assert (tmp_path / "run" / "model" / "adapter_config.json").exists()


@pytest.mark.parametrize("adapter", ["lora", "prefix"])
def test_the_reference_of_ppo_is_the_model_itself_and_no_copy(
    settings, prompts_file, reward_folder, model_folder, adapter
):
    made = settings("ppo", data=prompts_file, adapter=adapter, epochs=2, lr=2e-2, options=SHORT)
    step = prepare(made, PPOOptions(**SHORT), [str(reward_folder)]).step
    policy, reference = step.roller.policy.model, step.roller.reference.model
    ours = {p.data_ptr() for p in reference.parameters()}
    assert ours <= {p.data_ptr() for p in policy.parameters()}
    critic = step.roller.critic.module
    learned = {name for name, p in critic.named_parameters() if p.requires_grad}
    assert learned
    assert all("lora_" in name or name.startswith("score.") for name in learned)
    for index in range(2):
        step(index)
    start = logps(load(model_folder, "cpu"))
    assert torch.equal(logps(step.roller.reference), start)
    assert float((logps(step.roller.policy) - start).abs().max()) > 1e-3


def test_the_critic_learns_beside_a_reward_model_that_stays(settings, prompts_file, reward_folder):
    made = settings("ppo", data=prompts_file, adapter="lora", epochs=2, lr=2e-2, options=SHORT)
    step = prepare(made, PPOOptions(**SHORT), [str(reward_folder)]).step
    scalar = load_reward(reward_folder, torch.device("cpu"))
    first = score_trees(step.roller.critic.scalar, TREES)
    torch.testing.assert_close(first, score_trees(scalar, TREES), rtol=0, atol=1e-5)
    texts = step.roller.sampler.sample(step.tasks, 1, range(len(step.tasks)))
    before, _ = step.roller.sampler.score(step.tasks, texts)
    for index in range(2):
        step(index)
    assert torch.equal(step.roller.sampler.score(step.tasks, texts)[0], before)
    assert float((score_trees(step.roller.critic.scalar, TREES) - first).abs().max()) > 1e-3


def test_a_reward_model_of_an_adapter_serves_ppo(settings, tmp_path, prompts_file):
    train_offline(settings("reward", adapter="lora", lr=1e-2), tmp_path / "reward")
    made = settings("ppo", data=prompts_file, adapter="dora", options=SHORT)
    finished = train_online(made, str(tmp_path / "reward"), tmp_path / "run")
    assert finished.metrics["ratio"] == pytest.approx(1, abs=1e-5)


def test_dpo_of_an_adapter_goes_on_after_a_kill(settings, tmp_path):
    made = settings("dpo", adapter="lora", epochs=2.5, lr=2e-2, checkpoint_every=1)
    killed("half", made, "", tmp_path / "run")
    [kept] = (tmp_path / "run" / "checkpoints").glob("*/model.safetensors")
    assert all("lora_" in name for name in load_file(kept))
    compare(tmp_path / "run", lambda path: train_offline(made, path), tmp_path)


def test_ppo_of_an_adapter_goes_on_after_a_kill(settings, tmp_path, prompts_file, reward_folder):
    made = settings(
        "ppo", data=prompts_file, adapter="lora", epochs=4, lr=2e-2, checkpoint_every=1,
        options={**SHORT, "rollout_epochs": 2, "minibatches": 2},
    )  # fmt: skip
    killed("log", made, str(reward_folder), tmp_path / "run")
    compare(tmp_path / "run", lambda path: train_online(made, str(reward_folder), path), tmp_path)


def test_a_base_that_changed_makes_another_run(settings, tmp_path, pairs_file):
    """An adapter's own folder stays the same when the model it stands on is trained anew."""
    tiny.saved(tmp_path / "base")
    train_offline(settings("sft", model=str(tmp_path / "base"), adapter="lora"), tmp_path / "one")
    second = settings("dpo", model=str(tmp_path / "one"))
    train_offline(second, tmp_path / "two")
    assert train_offline(second, tmp_path / "two").reused
    tiny.saved(tmp_path / "base", seed=1)
    with pytest.raises(RunError, match=r"holds another run \(what --model names has changed"):
        train_offline(second, tmp_path / "two")


def test_an_adapter_learns_at_ten_times_the_rate(settings, tmp_path):
    train_offline(settings("dpo", lr=None, adapter="lora", rank=3), tmp_path / "run")
    said = json.loads((tmp_path / "run" / "settings.json").read_text())["resolved"]
    assert said["lr"] == pytest.approx(10 * learning_rate("dpo", 1_000_000))
    assert said["lr"] == pytest.approx(9.5e-3)
    sizes = [(16, 16)] * 2 + [(16, 8)] * 2 + [(16, 24)] * 3
    assert said["trainable"] == 2 * sum(3 * (one + other) for one, other in sizes)
    assert said["parameters"] == tiny.bundle().parameters


@pytest.mark.parametrize(
    ("method", "changes", "error", "sentence"),
    [
        (
            "sft",
            {"adapter": "prefix", "save": "merged"},
            SettingsError,
            r"^--save merged: virtual tokens cannot become weights of the model; leave it out\.$",
        ),
        ("dpo", {"adapter": "qlora", "save": "merged"}, SettingsError, r"in four bits cannot take"),
        ("dpo", {"adapter": "qlora"}, ModelError, r"^--adapter qlora needs a CUDA device, and"),
        ("reward", {"adapter": "prompt"}, SettingsError, r"is for models that write text; a rewa"),
        ("sft", {"adapter": "lora", "target_modules": "q_proj, k"}, SettingsError, r"names 'k', w"),
        ("sft", {"adapter": "prompt", "virtual_tokens": 127}, SettingsError, r"leaves no room in"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(
    settings, tmp_path, method, changes, error, sentence
):
    with pytest.raises(error, match=sentence) as caught:
        train_offline(settings(method, **changes), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_target_modules_are_names_by_comma(settings):
    made = settings("sft", adapter="dora", target_modules=" q_proj,mlp.up_proj ,", alpha_ratio=0.5)
    assert made.adapter_settings() == AdapterSettings(
        kind="dora", rank=16, alpha_ratio=0.5, target_modules=("q_proj", "mlp.up_proj")
    )
    assert settings("sft").adapter_settings() == AdapterSettings()


@pytest.mark.parametrize("adapter", ["lora", "prefix"])
def test_a_run_of_an_adapter_by_the_command_line(
    tmp_path, model_folder, pairs_file, prompts_file, adapter, capsys
):
    """Train, go on from the run, and let the base and both runs answer."""
    one, two, answers = (str(tmp_path / name) for name in ("one", "two", "answers.jsonl"))
    shared = f"--data {pairs_file} --adapter {adapter} --virtual-tokens 4 --device cpu --lr 0.02"
    assert main(f"train sft --model {model_folder} --out {one} {shared}".split()) == 0
    assert main(f"train dpo --model {one} --out {two} {shared} --rank 2".split()) == 0
    models = f"--model {model_folder} --model {one} --model {two}"
    asked = f"--prompts {prompts_file} --out {answers} --max-new-tokens 4 --device cpu"
    assert main(f"generate {models} {asked}".split()) == 0
    rows = [json.loads(row) for row in Path(answers).read_text().splitlines()]
    assert len(rows) == 8
    texts = [[c["text"] for c in row["completions"]] for row in rows]
    assert all(len(row) == 3 for row in texts)
    assert any(row[0] != row[1] for row in texts)
    shutil.move(one, tmp_path / "moved")
    capsys.readouterr()
    status = main(f"generate --model {two} {asked} --overwrite".split())
    said = capsys.readouterr().err
    if adapter == "prefix":  # it goes on with the same tokens, on the same base
        assert status == 0
    else:
        assert status == 2
        assert re.search(r"is an adapter on .*/one/model, which is not there; put .*\.\n$", said)
