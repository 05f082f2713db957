"""Checkpoints: exact, the newest only, and refused when damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch
from torch import nn

from suffrage.core.errors import RunError
from suffrage.models.checkpoint import Checkpoints


def made(seed: int) -> tuple[dict[str, nn.Module], torch.optim.AdamW]:
    """A model with a tied head and a layer, after one step of the optimizer."""
    tied = tiny.model("llama", seed, tie_word_embeddings=True)
    torch.manual_seed(seed)
    modules: dict[str, nn.Module] = {"policy": tied, "critic": nn.Linear(3, 2)}
    optimizer = torch.optim.AdamW([p for m in modules.values() for p in m.parameters()], lr=0.1)
    for parameter in optimizer.param_groups[0]["params"]:
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    return modules, optimizer


def test_what_is_saved_comes_back_exactly(tmp_path):
    modules, optimizer = made(1)
    Checkpoints(tmp_path / "c").save(7, modules, optimizer, {"kl_coef": 0.1 + 0.2})
    others, other = made(2)
    state = Checkpoints(tmp_path / "c").load(others, other)
    assert state == {"step": 7, "kl_coef": 0.1 + 0.2}
    for name, module in modules.items():
        for key, tensor in module.state_dict().items():
            assert torch.equal(others[name].state_dict()[key], tensor), key
    saved, restored = optimizer.state_dict(), other.state_dict()
    assert restored["param_groups"] == saved["param_groups"]
    for index, moments in saved["state"].items():
        for key, value in moments.items():
            assert torch.equal(restored["state"][index][key], value)


def test_a_newer_checkpoint_replaces_the_older(tmp_path):
    checkpoints = Checkpoints(tmp_path / "c")
    modules, optimizer = made(1)
    for step in (9, 10, 100):
        checkpoints.save(step, modules, optimizer, {})
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["step-00000100"]
    assert checkpoints.newest() == tmp_path / "c" / "step-00000100"


def test_without_a_checkpoint_there_is_nothing_to_load(tmp_path):
    assert Checkpoints(tmp_path / "c").newest() is None
    assert Checkpoints(tmp_path / "c").load(*made(1)) is None


def test_a_crash_while_saving_leaves_the_older_one(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path / "c")
    modules, optimizer = made(1)
    checkpoints.save(1, modules, optimizer, {})
    monkeypatch.setattr(torch, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(2, modules, optimizer, {})
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["step-00000001"]


def test_clearing_removes_all(tmp_path):
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.save(1, *made(1), {})
    checkpoints.clear()
    assert not (tmp_path / "c").exists()
    checkpoints.clear()


@pytest.mark.parametrize("name", ["policy.safetensors", "critic.safetensors", "optimizer.pt"])
@pytest.mark.parametrize("damage", ["empty", "cut", "junk", "gone"])
def test_a_damaged_checkpoint_is_refused_in_a_sentence(tmp_path, name, damage):
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.save(1, *made(1), {})
    file: Path = tmp_path / "c" / "step-00000001" / name
    whole = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "junk": b"x" * 99}[damage])
    with pytest.raises(RunError, match=r"step-00000001 is damaged .*; delete it to start"):
        checkpoints.load(*made(2))


def test_a_damaged_state_is_refused_in_a_sentence(tmp_path):
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.save(1, *made(1), {})
    (tmp_path / "c" / "step-00000001" / "state.json").write_text("{")
    with pytest.raises(RunError, match=r"is damaged .*; delete it to start"):
        checkpoints.load(*made(2))
