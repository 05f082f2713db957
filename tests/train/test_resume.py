"""kill -9 in mid-run, then the same command: the same log, byte for byte, and the same weights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from ten_groups import groups

from suffrage.core.runs import RunDirectory
from suffrage.data.read import write_groups
from suffrage.train.rl.run import train_online
from suffrage.train.run import train_offline
from suffrage.train.settings import TrainSettings

TESTS = Path(__file__).parents[1]

# Runs as a user's process does and kills itself, as the kernel would, at a bad moment:
# `log`: a step is logged that no checkpoint knows; `half`: its line is half-written;
# `checkpoint`: the newer checkpoint lies there in part; `rollout`: some tokens of step 5 are there;
# `update`: the second of its updates is done.
VICTIM = """
import functools, os, signal, sys
import tiny, torch  # tiny: as many threads as the other runs have
from pathlib import Path
from suffrage.core import runs
from suffrage.models import sample
from suffrage.train.rl.run import train_online
from suffrage.train.run import train_offline
from suffrage.train.settings import TrainSettings

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def log_and_die(run, metrics, timing, whole=runs.RunDirectory.log):
    whole(run, metrics, timing)
    if metrics["step"] == 4:
        if moment == "half":
            with (run.path / "metrics.jsonl").open("a") as file:
                file.write('{"step": 5, "lo')
        die()

since = []  # what was done since the checkpoint of step 4

def save_and_die(state, path, whole=torch.save):
    whole(state, path)
    if "step-00000004" in str(path):
        since.append("checkpoint")
        if moment == "checkpoint":
            die()

def second_and_die(*args, whole, **kwargs):
    whole(*args, **kwargs)
    since.extend(since[:1])
    if len(since) == 3:
        die()

moment, given, reward, out = sys.argv[1:]
if moment in ("log", "half"):
    runs.RunDirectory.log = log_and_die
else:
    torch.save = save_and_die
if moment == "rollout":
    sample._choose_all = functools.partial(second_and_die, whole=sample._choose_all)
elif moment == "update":
    step = torch.optim.AdamW.step
    torch.optim.AdamW.step = functools.partialmethod(second_and_die, whole=step)
settings = TrainSettings.model_validate_json(given)
if reward:
    train_online(settings, reward, Path(out))
else:
    train_offline(settings, Path(out))
"""


def killed(moment: str, settings: TrainSettings, reward: str, out: Path) -> None:
    command = [sys.executable, "-c", VICTIM, moment, settings.model_dump_json(), reward, str(out)]
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def state(out: Path) -> tuple[bytes, dict[str, torch.Tensor]]:
    [weights] = (out / "model").glob("*.safetensors")
    return (out / "metrics.jsonl").read_bytes(), load_file(weights)


def compare(out: Path, train: Callable[[Path], object], tmp_path: Path) -> None:
    """Finish the killed run at `out`, make a whole one beside it, and hold them equal."""
    assert not (out / "done.json").exists()
    assert [path.name for path in (out / "checkpoints").glob("step-*")] == ["step-00000003"]
    train(out)
    train(tmp_path / "whole")
    (resumed, weights), (expected, whole) = state(out), state(tmp_path / "whole")
    assert resumed == expected
    assert len(RunDirectory(out).metrics) == 8
    assert weights.keys() == whole.keys()
    assert all(torch.equal(weights[name], whole[name]) for name in whole)
    assert len((out / "timing.jsonl").read_text().splitlines()) == 8
    assert not (out / "checkpoints").exists()


@pytest.mark.parametrize("moment", ["half"])
def test_dpo_goes_on_after_a_kill(settings, tmp_path, moment):
    made = settings("dpo", epochs=2.5, checkpoint_every=1)
    out = tmp_path / "run"
    killed(moment, made, "", out)
    compare(out, lambda path: train_offline(made, path), tmp_path)


@pytest.mark.parametrize("moment", ["log", "checkpoint"])
def test_ppo_goes_on_after_a_kill(settings, tmp_path, reward_folder, moment):
    write_groups(tmp_path / "prompts.jsonl", groups(8))
    options = {"samples": 2, "max_new_tokens": 6, "rollout_epochs": 2, "minibatches": 2}
    made = settings(
        "ppo",
        data=str(tmp_path / "prompts.jsonl"),
        epochs=4,
        checkpoint_every=1,
        options=options,
    )
    out = tmp_path / "run"
    killed(moment, made, str(reward_folder), out)
    compare(out, lambda path: train_online(made, str(reward_folder), path), tmp_path)
