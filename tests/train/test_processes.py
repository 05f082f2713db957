"""Two processes on the CPU: the same run as one, and carried on after a kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from suffrage.core.errors import SettingsError
from suffrage.core.runs import RunDirectory
from suffrage.data.forest import deal
from suffrage.models import processes
from suffrage.models.processes import ALONE, Processes
from suffrage.train.rl.run import train_online
from suffrage.train.run import train_offline
from suffrage.train.settings import TrainSettings

TESTS = Path(__file__).parents[1]
# The launcher has no option for several processes of one CPU; without a GPU this starts them.
LAUNCH = (
    *("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
    *("--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"),
    *("--main_process_port", "0"),  # a free one: tests run side by side
)

# Runs every settings file it is given; where told so, it dies as a whole after step 4 is logged.
SCRIPT = """
import os, signal, sys
import tiny  # as many threads as the other runs have
from pathlib import Path
from suffrage.core import runs
from suffrage.train.rl.run import train_online
from suffrage.train.run import train_offline
from suffrage.train.settings import TrainSettings

def log_and_die(run, metrics, timing, whole=runs.RunDirectory.log):
    whole(run, metrics, timing)
    if metrics["step"] == 4:
        os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] == "die":
    runs.RunDirectory.log = log_and_die
for name in sys.argv[2:]:
    file = Path(name)
    settings = TrainSettings.model_validate_json(file.read_text())
    if "samples" in settings.options:
        train_online(settings, "letters:share", file.with_suffix(""))
    else:
        train_offline(settings, file.with_suffix(""))
"""
# A reward: how much of an answer are lower-case letters.
LETTERS = """
def share(prompts, completions):
    return [sum('a' <= c <= 'z' for c in text) / 8 for text in completions]
"""


def launch(
    tmp_path: Path, runs: dict[str, TrainSettings], moment: str = "live"
) -> subprocess.CompletedProcess[bytes]:
    """Train by two processes into folders of these names."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    (tmp_path / "letters.py").write_text(LETTERS)
    for name, made in runs.items():
        (tmp_path / f"{name}.json").write_text(made.model_dump_json())
    files = [str(tmp_path / f"{name}.json") for name in runs]
    command = [sys.executable, *LAUNCH, str(script), moment, *files]
    places = {"PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    cache = {"SUFFRAGE_CACHE": str(tmp_path / "cache")}  # nothing is read that one process made
    return subprocess.run(
        command, env={**os.environ, **places, **cache}, capture_output=True, check=False
    )


def compare(found: Path, expected: Path) -> None:
    ours, theirs = RunDirectory(found).metrics, RunDirectory(expected).metrics
    assert len(ours) == len(theirs) > 0
    for mine, other in zip(ours, theirs, strict=True):
        for row in (mine, other):
            row.pop("waste", None)  # of the packing, which differs
        assert mine == pytest.approx(other, abs=1e-5, rel=1e-5)
    weights, whole = (
        load_file(folder / "model" / "model.safetensors") for folder in (found, expected)
    )
    for name, tensor in whole.items():
        torch.testing.assert_close(weights[name], tensor, rtol=0, atol=1e-4)


# Of a reference, of an objective that couples the batch, of mismatched prompts, of a head; the
# last batch of three epochs' ten groups holds one group only, so that one process has none.
RUNS = {
    "dpo": {},
    "aot": {"microbatch_tokens": 60},
    "kto": {"microbatch_tokens": 60},
    "reward": {"holdout": 0.2, "eval_every": 2, "patience": 1},
    "sft": {"adapter": "lora", "save": "merged", "holdout": 0.2, "kl": 0.1},
}


def test_two_processes_train_as_one(settings, tmp_path):
    runs = {name: settings(name, batch_size=3, **more) for name, more in RUNS.items()}
    done = launch(tmp_path, runs)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    for name, made in runs.items():
        train_offline(made, tmp_path / "alone" / name)
        compare(tmp_path / name, tmp_path / "alone" / name)
        log = (tmp_path / name / "timing.jsonl").read_text().splitlines()
        assert len(log) == len(RunDirectory(tmp_path / name).metrics)  # one process writes


UNCLIPPED = {"clip": 100.0, "value_clip": 100.0}  # rounding must not decide who is clipped
# With a critic and text mixed in, with a controller and an average of the weights, with winners of
# earlier rounds, with scaled rewards, with pairs of answers. The last rollout of each epoch is of
# one prompt, so that one process has none.
SAMPLING = {
    "ppo": ({"minibatches": 2, "rollout_epochs": 2, **UNCLIPPED}, {"checkpoint_every": 1}),
    "rloo": ({"kl_target": 2.0, "ema": 0.9}, {"eval_every": 2, "patience": 1}),
    "raft": ({}, {}),
    "best-of-n": ({"reward_scale": "reference"}, {}),
    "online-dpo": ({}, {"adapter": "lora", "save": "merged"}),
}


@pytest.fixture
def letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the reward, which this process finds too."""
    (tmp_path / "letters.py").write_text(LETTERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "letters:share"


def test_two_processes_follow_a_reward_as_one(settings, tmp_path, letters):
    fixed = {"batch_size": 3, "holdout": 0.3, "lr": 5e-3}
    options = {"samples": 3, "max_new_tokens": 6}
    runs = {
        name: settings(name, **fixed, **more, options={**options, **own})
        for name, (own, more) in SAMPLING.items()
    }
    runs["ppo"] = runs["ppo"].model_copy(update={"pretraining": runs["ppo"].data})
    done = launch(tmp_path, runs)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    for name, made in runs.items():
        train_online(made, letters, tmp_path / "alone" / name)
        compare(tmp_path / name, tmp_path / "alone" / name)
        samples = [f / name / "samples.jsonl" for f in (tmp_path, tmp_path / "alone")]
        assert samples[0].read_text() == samples[1].read_text()


def test_two_processes_go_on_after_a_kill(settings, tmp_path, letters):
    fixed = {"epochs": 2.5, "checkpoint_every": 1}
    options = {"samples": 2, "max_new_tokens": 6, "kl_target": 2.0, **UNCLIPPED}
    runs = {"dpo": settings("dpo", **fixed), "ppo": settings("ppo", **fixed, options=options)}
    for name, made in runs.items():
        assert launch(tmp_path, {name: made}, "die").returncode != 0
        assert not (tmp_path / name / "done.json").exists()
        assert max(row["step"] for row in RunDirectory(tmp_path / name).metrics) == 4
    done = launch(tmp_path, runs)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    train_offline(runs["dpo"], tmp_path / "whole" / "dpo")
    train_online(runs["ppo"], letters, tmp_path / "whole" / "ppo")
    for name in runs:
        compare(tmp_path / name, tmp_path / "whole" / name)


def test_the_command_line_runs_in_two_processes_and_speaks_once(settings, tmp_path):
    made = settings("sft")
    words = ["train", "sft", "--model", made.model, "--data", made.data, "--device", "cpu"]
    end = ["--out", str(tmp_path / "run"), "--json"]
    module = ["-m", "suffrage", *words, *end]
    command = [sys.executable, *LAUNCH, *module]
    places = {"PYTHONPATH": str(TESTS.parent)}
    done = subprocess.run(command, env={**os.environ, **places}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    assert json.loads(done.stdout)["out"] == str(tmp_path / "run")


def test_shares_of_a_model_do_not_sample(settings, tmp_path, monkeypatch):
    shares = SimpleNamespace(num_processes=2, distributed_type=SimpleNamespace(value="FSDP"))
    monkeypatch.setattr(processes, "find_processes", lambda: processes.Processes(shares))
    with pytest.raises(SettingsError, match="ppo needs the whole model in every process"):
        train_online(settings("ppo"), "reward", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_each_hand_gets_about_as_much():
    assert deal([3, 9, 4, 5], 1) == [[1, 3, 2, 0]]
    assert deal([3, 9, 4, 5], 2) == [[1, 0], [3, 2]]
    assert deal([7], 3) == [[0], [], []]


def test_small_gradients_share_a_message(monkeypatch):
    monkeypatch.setattr(processes, "MESSAGE", 10)
    four, six, seven = (torch.zeros(size) for size in (4, 6, 7))
    whole, large = torch.zeros(2, dtype=torch.long), torch.zeros(3, 5)
    made = processes.buckets([four, six, seven, whole, large, four])
    expected = [[four, six], [seven], [whole], [large], [four]]
    assert [[id(t) for t in bucket] for bucket in made] == [[id(t) for t in b] for b in expected]


class OfTwo(Processes):
    """The first of two processes; `SAID` is what the second says at its turn."""

    size, rank = 2, 0

    def gather(self, value):
        TOLD.append(value)
        return [value, SAID[0]]


TOLD: list[object] = []
SAID: list[object] = []


def test_what_one_process_cannot_do_ends_all_of_them():
    TOLD.clear()
    SAID[:] = [([4], None)]
    assert OfTwo().divide([1, 2, 3], lambda own: [2 * one for one in own]) == [2, 4, 6]
    SAID[:] = [(None, SettingsError("no server"))]
    with pytest.raises(SettingsError, match="no server"):
        OfTwo().divide([1, 2, 3], lambda own: own)
    SAID[:] = [([4], None)]
    with pytest.raises(KeyError, match="gone"):
        OfTwo().divide([1, 2, 3], lambda own: [{}["gone"]])
    made, error = TOLD[-1]  # the other is told, not left waiting
    assert (made, type(error)) == (None, KeyError)


def test_one_process_needs_no_others():
    assert (ALONE.rank, ALONE.size, ALONE.main, ALONE.sharded) == (0, 1, True, False)
    assert ALONE.gather(3) == [3]
    with pytest.raises(KeyError, match="gone"):
        ALONE.first(lambda: {}["gone"])
