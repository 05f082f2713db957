"""Loading: what is found out about a model, and what is refused in one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tiny
import torch

from suffrage.core.errors import ModelError
from suffrage.data.forest import pack
from suffrage.models.forward import check_head, token_logps
from suffrage.models.language_model import NO_LIMIT, describe, load
from suffrage.models.scalar_head import from_language_model

TREES = [tiny.tree(1, 9, (4, 21, 13)), tiny.tree(2, 3, (11, 2))]


def test_a_saved_model_comes_back_with_everything_known_of_it(tmp_path):
    made = tiny.bundle("llama", template=tiny.CHATML)
    made.save(tmp_path / "model")
    loaded = load(tmp_path / "model", "cpu")
    assert (loaded.layout, loaded.end_ids, loaded.context) == ("row", (2,), 128)
    assert loaded.parameters == made.parameters
    assert loaded.encoder().chat
    with torch.no_grad():
        found, expected = (token_logps(b.model, pack(TREES)) for b in (loaded, made))
    torch.testing.assert_close(found, expected)


def test_a_run_directory_stands_for_its_model(tmp_path):
    tiny.saved(tmp_path / "run" / "model")
    (tmp_path / "run" / "settings.json").write_text("{}")
    assert load(tmp_path / "run", "cpu").name == str(tmp_path / "run")


def test_every_end_id_of_every_config_counts_and_the_tokenizers_comes_first():
    model = tiny.model(eos_token_id=[7, 3])
    model.generation_config.eos_token_id = [9, 3]
    assert describe("m", model, tiny.tokenizer()).end_ids == (2, 9, 3, 7)


def test_weights_that_are_no_numbers_are_told_as_such():
    model = tiny.model()
    next(model.parameters()).data[3] = float("nan")
    with pytest.raises(ModelError, match="logits that are no numbers; they are damaged"):
        describe("m", model, tiny.tokenizer())


def test_a_model_without_any_end_token_is_refused():
    tokenizer = tiny.tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="names no end token; set eos_token_id"):
        describe("m", tiny.model(eos_token_id=None), tokenizer)


def test_the_context_is_read_from_the_config():
    assert tiny.bundle("llama").context == 128
    assert tiny.bundle("gpt2", n_positions=96, max_position_embeddings=96).context == 96
    assert tiny.bundle("bloom", max_position_embeddings=None).context == NO_LIMIT


def test_the_encoder_takes_the_smaller_limit():
    bundle = tiny.bundle()
    assert bundle.encoder(limit=50).context == 50
    assert bundle.encoder(limit=500).context == 128
    assert bundle.encoder("cut").overlong == "cut"


DROPOUT = {
    "gpt2": {"resid_pdrop": 0.5, "embd_pdrop": 0.5, "attn_pdrop": 0.5},
    "llama": {"attention_dropout": 0.5},
    "phi": {"attention_dropout": 0.5, "resid_pdrop": 0.5, "embd_pdrop": 0.5},
    "gpt_neox": {"attention_dropout": 0.5, "hidden_dropout": 0.5},
    "bloom": {"attention_dropout": 0.5, "hidden_dropout": 0.5},
}


@pytest.mark.parametrize("family", DROPOUT)
def test_dropout_is_off_with_gradients_too(family):
    bundle = tiny.bundle(family, **DROPOUT[family])
    forest = pack(TREES, bundle.layout)
    first, again = (token_logps(bundle.model, forest) for _ in range(2))
    assert first.requires_grad
    assert torch.equal(first, again)


def test_a_frozen_copy_stays_as_it_was():
    bundle = tiny.bundle()
    forest = pack(TREES)
    reference = bundle.frozen_copy()
    before = token_logps(reference.model, forest)
    bundle.model.get_input_embeddings().weight.data.mul_(-2)
    assert not before.requires_grad
    assert torch.equal(token_logps(reference.model, forest), before)
    assert not torch.allclose(token_logps(bundle.model, forest), before)


def test_a_head_that_does_more_than_ours_is_refused():
    model = tiny.model()
    whole = model.forward

    def forward(*args, **kwargs):
        out = whole(*args, **kwargs)
        return type(out)(logits=out.logits * 1.5)

    model.forward = forward
    with pytest.raises(ModelError, match="LlamaForCausalLM computes its logits in a way"):
        check_head(model, TREES)


def folder(path: Path, *names: str) -> Path:
    path.mkdir()
    for name in names:
        (path / name).write_text("{}")
    return path


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"is no model folder \(it has no config.json\); name a"):
        load(folder(tmp_path / "empty"))
    with pytest.raises(ModelError, match=r"no model folder"):
        load(folder(tmp_path / "text", "notes.txt") / "notes.txt")


def test_a_folder_that_is_not_there_is_not_looked_for_elsewhere(tmp_path):
    with pytest.raises(ModelError, match=r"nothing/here: no such folder; check the path\."):
        load(tmp_path / "nothing" / "here")


def test_a_wrong_name_in_a_folder_of_runs_is_not_asked_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    with pytest.raises(ModelError, match=r"runs/sft: no such folder; check the path\."):
        load("runs/sft")


def test_an_unfinished_run_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"a run that has not finished; run its command again"):
        load(folder(tmp_path / "run", "settings.json"))


def test_a_model_without_a_tokenizer_is_refused(tmp_path):
    tiny.model().save_pretrained(tmp_path / "model")
    with pytest.raises(ModelError, match=r"holds no tokenizer that can be loaded \(") as error:
        load(tmp_path / "model")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "not json"),
        ("config.json", json.dumps({"model_type": "nothing-known"})),
        ("model.safetensors", ""),
        ("model.safetensors", "not tensors at all"),
    ],
)
def test_a_damaged_model_is_refused_in_one_sentence(tmp_path, name, content):
    path = tiny.saved(tmp_path / "model")
    (path / name).write_text(content)
    with pytest.raises(ModelError, match=r"holds no model that can be loaded \(") as error:
        load(path)
    assert "\n" not in str(error.value)


def test_a_model_whose_weights_are_gone_is_refused(tmp_path):
    path = tiny.saved(tmp_path / "model")
    (path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"holds no model that can be loaded \("):
        load(path)


def test_a_reward_model_is_no_language_model(tmp_path):
    """transformers would give it a random head and say nothing."""
    from_language_model(tiny.bundle(), seed=0).base.save(tmp_path / "reward")
    with pytest.raises(ModelError, match=r"is a reward model, which writes no text"):
        load(tmp_path / "reward")


def test_a_run_that_was_moved_still_loads(tmp_path):
    """Nothing in a run directory names the place where it was made."""
    tiny.saved(tmp_path / "here" / "model")
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert load(tmp_path / "there", "cpu").context == 128
