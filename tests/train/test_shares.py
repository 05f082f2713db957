"""A model in shares: torch's FSDP2 on two CPU processes gives the run of one.

Accelerate starts FSDP2 on GPUs only, so what stands in for its `Accelerator` calls the function of
torch that it calls, `fully_shard`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from suffrage.core.runs import RunDirectory
from suffrage.train.run import train_offline

TESTS = Path(__file__).parents[1]
SCRIPT = """
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import tiny
import torch
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import fully_shard
from transformers.modeling_layers import GradientCheckpointingLayer

from suffrage.models import processes
from suffrage.train.run import train_offline
from suffrage.train.settings import TrainSettings

torch.distributed.init_process_group("gloo")


class Standin:
    num_processes = torch.distributed.get_world_size()
    process_index = torch.distributed.get_rank()
    distributed_type = SimpleNamespace(value="FSDP")

    def prepare(self, module, adamw):
        for part in module.modules():
            if isinstance(part, GradientCheckpointingLayer):
                fully_shard(part)
        fully_shard(module)
        adamw.param_groups[0]["params"] = list(module.parameters())
        held = sum(p.to_local().numel() for p in module.parameters())
        assert held < 0.6 * sum(p.numel() for p in module.parameters())
        return module, adamw

    def get_state_dict(self, module):
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        return get_model_state_dict(module, options=options)


found = processes.Processes(Standin())
for module in list(sys.modules.values()):
    if hasattr(module, "find_processes"):
        module.find_processes = lambda: found
for name in sys.argv[1:]:
    file = Path(name)
    train_offline(TrainSettings.model_validate_json(file.read_text()), file.with_suffix(""))
torch.distributed.barrier()
torch.distributed.destroy_process_group()
os._exit(0)  # a thread of gloo's that is still ending would abort the process
"""


@pytest.mark.skipif(sys.platform != "linux", reason="gloo and torchrun as on Linux")
def test_a_model_in_shares_trains_as_a_whole_one(settings, tmp_path):
    runs = {
        "dpo": settings("dpo", batch_size=3, holdout=0.2),
        "kto": settings("kto", batch_size=3, microbatch_tokens=60),
        "reward": settings("reward", batch_size=3),
    }
    (tmp_path / "script.py").write_text(SCRIPT)
    for name, made in runs.items():
        (tmp_path / f"{name}.json").write_text(made.model_dump_json())
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    files = [str(tmp_path / f"{name}.json") for name in runs]
    command = [sys.executable, *launch, str(tmp_path / "script.py"), *files]
    places = {"PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    cache = {"SUFFRAGE_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        command, env={**os.environ, **places, **cache}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    for name, made in runs.items():
        train_offline(made, tmp_path / "alone" / name)
        ours, theirs = (
            RunDirectory(folder / name).metrics for folder in (tmp_path, tmp_path / "alone")
        )
        assert len(ours) == len(theirs) > 0
        for mine, other in zip(ours, theirs, strict=True):
            for row in (mine, other):
                row.pop("waste", None)  # of the packing, which differs
            assert mine == pytest.approx(other, abs=1e-5)
        weights, whole = (
            load_file(folder / name / "model" / "model.safetensors")
            for folder in (tmp_path, tmp_path / "alone")
        )
        assert weights.keys() == whole.keys()
        for key, tensor in whole.items():
            torch.testing.assert_close(weights[key], tensor, rtol=0, atol=1e-4)
