"""Adapters: what they leave alone, what they compute, and what comes back from disk."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import peft
import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from suffrage.core.errors import ModelError, SettingsError
from suffrage.data.conditioning import Condition
from suffrage.data.encode import Tree
from suffrage.data.forest import one_row, pack
from suffrage.models.adapters import Adapted, AdapterSettings, add, merge
from suffrage.models.folder import resolve
from suffrage.models.forward import head_logits, hidden_states, token_logps
from suffrage.models.four_bit import check_four_bit, quantise
from suffrage.models.language_model import LanguageModel, load
from suffrage.models.peft_package import quietly
from suffrage.models.sample import Sampling, sample
from suffrage.models.scalar_head import from_language_model, load_reward, score_trees

TREES = [tiny.tree(1, 9, (4, 21, 13)), tiny.tree(2, 3, (11, 2))]
LOW_RANK = ("lora", "dora")
OF_TOKENS = ("prefix", "prompt")
KINDS = LOW_RANK + OF_TOKENS
# bloom has biases of position, gemma2 and mistral windows that a long text leaves
FAMILIES = ("llama", "gpt2", "qwen3", "gpt_neox", "bloom", "mistral", "gemma2")


def made(kind: str, family: str = "llama", seed: int = 0, **changes: object) -> LanguageModel:
    """A random model with an adapter, that is still as it was added."""
    settings = AdapterSettings(kind=kind, rank=3, virtual_tokens=5, **changes)
    return add(bare(family), settings, seed)


def bare(family: str = "llama") -> LanguageModel:
    """A random model; PEFT believes gpt2 and bloom too when they tell of grouped heads."""
    heads = {"num_key_value_heads": 4} if family in ("gpt2", "bloom") else {}
    return tiny.bundle(family, **heads)


def trained(kind: str, family: str = "llama", **changes: object) -> Adapted:
    """The same with random weights in the adapter, as after training."""
    adapted = made(kind, family, **changes)
    assert isinstance(adapted, Adapted)
    generator = torch.Generator().manual_seed(3)
    for parameter in changing(adapted).values():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data.add_(0.3 * noise)
    return adapted


def changing(bundle: LanguageModel) -> dict[str, Tensor]:
    return {name: p for name, p in bundle.model.named_parameters() if p.requires_grad}


def logps(bundle: LanguageModel, trees: list[Tree] = TREES) -> Tensor:
    return token_logps(bundle.model, pack(trees, bundle.layout))


def weights(bundle: LanguageModel) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in bundle.model.state_dict().items()}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", LOW_RANK)
def test_lora_and_dora_start_as_the_model_they_are_added_to(kind, family):
    bundle = bare(family)
    alone = logps(bundle)
    adapted = add(bundle, AdapterSettings(kind=kind, rank=3), seed=0)
    assert adapted.layout == bundle.layout
    torch.testing.assert_close(logps(adapted), alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_only_the_adapter_learns_and_the_model_without_it_stays(kind, family):
    bundle = bare(family)
    before, alone = weights(bundle), logps(bundle).detach()
    adapted = add(bundle, AdapterSettings(kind=kind, rank=3, virtual_tokens=5), seed=0)
    optimiser = torch.optim.SGD(adapted.model.parameters(), lr=0.5)
    for _ in range(2):  # LoRA's B is 0 at first, so that A learns from the second step on
        optimiser.zero_grad()
        (-logps(adapted).mean()).backward()
        optimiser.step()
    learned = {name for name, p in adapted.model.named_parameters() if p.grad is not None}
    assert learned == changing(adapted).keys()
    assert all("lora_" in name or "prompt_encoder" in name for name in learned)
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(bundle).items())
    assert torch.equal(logps(bundle), alone)
    assert float((logps(adapted) - alone).detach().abs().max()) > 0.05
    assert not logps(bundle).requires_grad


@pytest.mark.parametrize("kind", LOW_RANK)
def test_lora_and_dora_say_the_same_of_trees_in_one_row(kind):
    adapted = trained(kind)
    assert adapted.layout == "row"
    in_a_row, plain = (
        token_logps(adapted.model, f) for f in (one_row(TREES), pack(TREES, "plain"))
    )
    torch.testing.assert_close(in_a_row, plain)
    assert not torch.allclose(plain, logps(bare()), atol=0.05)


def test_the_parameters_of_lora_are_two_thin_matrices_a_layer():
    """Of 16 x 16 (q, o), 16 x 8 (k, v), 16 x 24 (gate, up, down), in each of two layers."""
    sizes = [(16, 16)] * 2 + [(16, 8)] * 2 + [(16, 24)] * 3
    expected = 2 * sum(3 * (one + other) for one, other in sizes)
    adapted = made("lora")
    assert isinstance(adapted, Adapted)
    assert adapted.trainable == expected
    # DoRA has a magnitude for each output too
    with_magnitude = made("dora")
    assert isinstance(with_magnitude, Adapted)
    assert with_magnitude.trainable == expected + 2 * (16 + 8 + 8 + 16 + 24 + 24 + 16)


def test_the_parameters_of_virtual_tokens():
    """Keys and values of two layers, two heads of four; or one embedding of sixteen."""
    prefix, prompt = made("prefix"), made("prompt")
    assert isinstance(prefix, Adapted)
    assert isinstance(prompt, Adapted)
    assert prefix.trainable == 5 * 2 * 2 * 2 * 4
    assert prompt.trainable == 5 * 16


def test_the_scale_of_lora_is_alpha_over_rank():
    """W x + (alpha / rank) B A x, by hand for one layer (2106.09685, section 4.1)."""
    adapted = trained("lora", alpha_ratio=0.7)
    layer = adapted.model.get_submodule("model.layers.1.mlp.down_proj")
    x = torch.randn(24, generator=torch.Generator().manual_seed(1))
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    assert down.shape == (3, 24)
    expected = layer.base_layer.weight @ x + 0.7 * (up @ (down @ x))
    torch.testing.assert_close(layer(x[None])[0], expected)


def test_dora_has_a_magnitude_and_a_direction():
    """m (W + s B A) / |W + s B A|, the norm over each output's row (2402.09353, equation 5)."""
    adapted = trained("dora", alpha_ratio=0.7)
    layer = adapted.model.get_submodule("model.layers.1.mlp.down_proj")
    x = torch.randn(24, generator=torch.Generator().manual_seed(1))
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    direction = layer.base_layer.weight + 0.7 * up @ down
    magnitude = layer.lora_magnitude_vector["default"].weight
    expected = (magnitude / direction.norm(dim=1)) * (direction @ x)
    torch.testing.assert_close(layer(x[None])[0], expected)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("kind", LOW_RANK)
def test_merged_weights_compute_what_the_adapter_computes(kind, family):
    adapted = trained(kind, family)
    before = weights(adapted)
    merged = merge(adapted)
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(adapted).items())
    assert not isinstance(merged, Adapted)
    assert merged.parameters == tiny.bundle(family).parameters
    torch.testing.assert_close(logps(merged), logps(adapted), rtol=0, atol=1e-5)
    assert merge(merged) is merged


def test_targets_are_all_linear_layers_but_the_head_or_those_that_are_named():
    def adapted_layers(*names: str) -> set[str]:
        found = changing(made("lora", target_modules=names))
        return {name.split(".lora_")[0].removeprefix("model.layers.") for name in found}

    attention = {f"self_attn.{part}_proj" for part in "qkvo"}
    mlp = {f"mlp.{part}_proj" for part in ("gate", "up", "down")}
    assert adapted_layers() == {f"{i}.{name}" for i in (0, 1) for name in attention | mlp}
    assert adapted_layers("q_proj", "mlp.up_proj") == {
        f"{i}.{name}" for i in (0, 1) for name in ("self_attn.q_proj", "mlp.up_proj")
    }


@pytest.mark.parametrize("name", ["q_prj", "lm_head", "proj", "embed_tokens"])
def test_a_target_that_is_no_layer_is_refused(name):
    with pytest.raises(SettingsError, match=rf"^--target-modules names '{name}', .* known: down_"):
        made("lora", target_modules=("q_proj", name))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", OF_TOKENS)
def test_virtual_tokens_compute_what_peft_computes(kind, family):
    """Rows of unequal length, right-padded, one of them longer than the windows of 64."""
    reader = trained(kind, family)
    trees = [tiny.tree(4, 9, (70, 4)), tiny.tree(5, 3, (11,))]
    forest = pack(trees, "plain")
    mask = (forest.tree_RL >= 0).long()
    with torch.no_grad():
        expected = reader.peft(input_ids=forest.input_ids_RL, attention_mask=mask).logits
        found = head_logits(reader.model, hidden_states(reader.model, forest))
    expected = expected[:, -forest.input_ids_RL.shape[1] :].flatten(0, 1)
    real = mask.flatten().bool()
    assert int(real.sum()) < real.numel()
    torch.testing.assert_close(found[real], expected[real].float(), rtol=0, atol=2e-5)


@pytest.mark.parametrize("family", ["llama", "gpt2", "bloom"])
def test_a_prefix_starts_as_what_the_model_makes_of_real_tokens(family):
    """So a text after a fresh prefix reads as it does after the tokens that it came from."""
    bundle = bare(family)
    reader = add(bundle, AdapterSettings(kind="prefix", virtual_tokens=5), seed=7)
    drawn = torch.randint(265, (1, 5), generator=torch.Generator().manual_seed(7))
    text = torch.tensor([TREES[0].trunk])
    with torch.no_grad():
        whole = bundle.model(torch.cat([drawn, text], 1)).logits[0, 5:]
        alone = pack([tiny.tree(1, 9, (1,))], "plain")
        found = head_logits(reader.model, hidden_states(reader.model, alone))[:9]
    torch.testing.assert_close(found, whole.float(), rtol=0, atol=2e-5)


def test_a_prompt_starts_as_tokens_of_the_vocabulary_that_the_seed_draws():
    bundle = tiny.bundle()
    starts = []
    for seed in (0, 0, 1):
        reader = add(bundle, AdapterSettings(kind="prompt", virtual_tokens=5), seed)
        starts.append(next(iter(changing(reader).values())).detach())
    vocabulary = bundle.model.get_input_embeddings().weight
    for start in starts:
        assert all(bool((vocabulary == row).all(1).any()) for row in start)
    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])


def test_the_same_seed_makes_the_same_lora_whatever_was_drawn_before():
    first = {name: p.clone() for name, p in changing(made("lora", seed=4)).items()}
    torch.manual_seed(99)
    state = torch.get_rng_state()
    again, other = (changing(made_without_model("lora", seed)) for seed in (4, 5))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(again[name], tensor) for name, tensor in first.items())
    assert any(not torch.equal(other[name], tensor) for name, tensor in first.items())


def made_without_model(kind: str, seed: int) -> LanguageModel:
    """As `made`, with the random numbers as they were after the model was built."""
    state = torch.get_rng_state()
    bundle = tiny.bundle()
    torch.set_rng_state(state)
    return add(bundle, AdapterSettings(kind=kind, rank=3), seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_sampled_token_has_the_log_probability_that_training_gives_it(kind, family):
    """Prompts of unequal length, padded on the left; rows leave; some reach beyond a window."""
    adapted = trained(kind, family)
    prompts = [tiny.tree(1, length, ()).trunk for length in (30, 4, 55)]
    made_of = sample(adapted, prompts, 2, Sampling(max_new_tokens=16, temperature=1.3, seed=2))
    for prompt, own in zip(prompts, made_of, strict=True):
        for one in own:
            path = torch.tensor([[*prompt, *one.tokens]])
            with torch.no_grad():
                plain = adapted.peft(path).logits[0][-path.shape[1] :].float()
            each = (plain / 1.3).log_softmax(1)[len(prompt) - 1 : -1]
            expected = each.gather(1, path[0, len(prompt) :, None]).squeeze(1)
            torch.testing.assert_close(torch.tensor(one.logps), expected, rtol=0, atol=1e-4)


@pytest.fixture
def base(tmp_path) -> Path:
    return tiny.saved(tmp_path / "base", template=tiny.CHATML)


def on_base(base: Path, kind: str) -> Adapted:
    """A trained adapter on the model in the folder."""
    adapted = add(load(base, "cpu"), AdapterSettings(kind=kind, rank=3, virtual_tokens=5), 0)
    assert isinstance(adapted, Adapted)
    for parameter in changing(adapted).values():
        parameter.data.add_(0.2 * torch.randn_like(parameter))
    return adapted


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_adapter_comes_back_on_its_base(tmp_path, base, kind):
    adapted = on_base(base, kind)
    adapted.save(tmp_path / "adapter")
    loaded = load(tmp_path / "adapter", "cpu")
    torch.testing.assert_close(logps(loaded), logps(adapted), rtol=0, atol=1e-5)
    assert loaded.name == str(tmp_path / "adapter")
    assert loaded.encoder().chat
    assert loaded.context == (128 if kind in LOW_RANK else 123)
    assert all(p.requires_grad for p in loaded.model.parameters()) == (kind in LOW_RANK)


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_holds_the_adapter_alone(tmp_path, base, kind):
    adapted = on_base(base, kind)
    adapted.save(tmp_path / "adapter")
    held = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert sum(tensor.numel() for tensor in held.values()) == adapted.trainable
    assert not (tmp_path / "adapter" / "model.safetensors").exists()
    said = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert said["base_model_name_or_path"] == str(base)


@pytest.mark.parametrize("kind", KINDS)
def test_peft_itself_reads_the_folder(tmp_path, base, kind):
    adapted = on_base(base, kind)
    adapted.save(tmp_path / "adapter")
    with quietly():
        found = peft.AutoPeftModelForCausalLM.from_pretrained(tmp_path / "adapter").eval()
    ids = torch.tensor([TREES[0].trunk])
    with torch.no_grad():
        torch.testing.assert_close(found(ids).logits, adapted.peft(ids).logits)


def test_an_adapter_that_another_program_wrote_is_read(tmp_path, base):
    """PEFT's own folder has neither config.json nor a tokenizer: the base's are taken."""
    adapted = on_base(base, "lora")
    adapted.peft.save_pretrained(str(tmp_path / "adapter"), save_embedding_layers=False)
    assert not (tmp_path / "adapter" / "config.json").exists()
    loaded = load(tmp_path / "adapter", "cpu")
    torch.testing.assert_close(logps(loaded), logps(adapted), rtol=0, atol=1e-5)
    assert loaded.encoder().chat


def test_an_adapter_on_the_adapter_of_a_run(tmp_path, base):
    """The second stands on the first, which stands on the base; the run is named as a whole."""
    on_base(base, "lora").save(tmp_path / "run" / "model")
    second = on_base(tmp_path / "run", "dora")
    second.save(tmp_path / "second")
    said = json.loads((tmp_path / "second" / "adapter_config.json").read_text())
    assert said["base_model_name_or_path"] == str(tmp_path / "run" / "model")
    loaded = load(tmp_path / "second", "cpu")
    torch.testing.assert_close(logps(loaded), logps(second), rtol=0, atol=1e-5)


def test_a_merged_model_is_a_plain_one(tmp_path, base):
    adapted = on_base(base, "lora")
    merge(adapted).save(tmp_path / "merged")
    assert not (tmp_path / "merged" / "adapter_config.json").exists()
    shutil.rmtree(base)
    loaded = load(tmp_path / "merged", "cpu")
    torch.testing.assert_close(logps(loaded), logps(adapted), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", OF_TOKENS)
def test_virtual_tokens_are_trained_on_from_where_they_are(tmp_path, base, kind):
    first = on_base(base, kind)
    first.save(tmp_path / "first")
    given = load(tmp_path / "first", "cpu")
    second = add(given, AdapterSettings(kind=kind, virtual_tokens=99), seed=1)
    assert isinstance(second, Adapted)
    torch.testing.assert_close(logps(second), logps(first), rtol=0, atol=1e-5)
    assert second.context == 123
    for parameter in changing(second).values():
        parameter.data.mul_(-1)
    torch.testing.assert_close(logps(given), logps(first), rtol=0, atol=1e-5)
    second.save(tmp_path / "second")
    loaded = load(tmp_path / "second", "cpu")
    torch.testing.assert_close(logps(loaded), logps(second), rtol=0, atol=1e-5)
    assert not torch.allclose(logps(loaded), logps(first))


def test_virtual_tokens_take_no_other_adapter(tmp_path, base):
    on_base(base, "prompt").save(tmp_path / "first")
    given = load(tmp_path / "first", "cpu")
    for kind in ("none", "lora", "prefix"):
        with pytest.raises(SettingsError, match=r"of prompt tuning; pass --adapter prompt to .*ba"):
            add(given, AdapterSettings(kind=kind), seed=0)
    with pytest.raises(ModelError, match=r"reads virtual tokens, so it cannot become a reward"):
        from_language_model(given, seed=0)


def test_virtual_tokens_must_leave_room():
    with pytest.raises(SettingsError, match=r"^--virtual-tokens 127 leaves no room in a context o"):
        add(tiny.bundle(), AdapterSettings(kind="prompt", virtual_tokens=127), seed=0)
    adapted = add(tiny.bundle(), AdapterSettings(kind="prompt", virtual_tokens=126), seed=0)
    assert adapted.context == 2


@pytest.mark.parametrize("kind", LOW_RANK)
def test_a_reward_model_with_an_adapter_trains_its_head_too(tmp_path, base, kind):
    scalar = from_language_model(load(base, "cpu"), seed=4)
    alone = score_trees(scalar, TREES)
    adapted = add(scalar.base, AdapterSettings(kind=kind, rank=3), seed=0)
    assert isinstance(adapted, Adapted)
    with_adapter = type(scalar)(adapted)
    torch.testing.assert_close(score_trees(with_adapter, TREES), alone, rtol=0, atol=1e-5)
    learned = changing(adapted)
    assert {name for name in learned if "lora_" not in name} == {
        "score.modules_to_save.default.weight"
    }
    for parameter in learned.values():
        parameter.data.add_(0.2 * torch.randn_like(parameter))
    after = score_trees(with_adapter, TREES)
    torch.testing.assert_close(score_trees(scalar, TREES), alone)
    assert float((after - alone).abs().max()) > 0.05
    adapted.save(tmp_path / "adapter")
    merge(adapted).save(tmp_path / "merged")
    for name in ("adapter", "merged"):
        found = score_trees(load_reward(tmp_path / name, torch.device("cpu")), TREES)
        torch.testing.assert_close(found, after, rtol=0, atol=1e-5)
    with pytest.raises(ModelError, match=r"is a reward model, which writes no text"):
        load(tmp_path / "adapter", "cpu")


@pytest.mark.parametrize("kind", OF_TOKENS)
def test_virtual_tokens_are_for_models_that_write(kind):
    scalar = from_language_model(tiny.bundle(), seed=4)
    with pytest.raises(SettingsError, match=rf"^--adapter {kind} is for models that write text; "):
        add(scalar.base, AdapterSettings(kind=kind), seed=0)


def test_none_gives_the_model_as_it_is():
    bundle = tiny.bundle()
    assert add(bundle, AdapterSettings(), seed=0) is bundle
    assert merge(bundle) is bundle


def refused(place: Path, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence) as error:
        load(place, "cpu")
    assert "\n" not in str(error.value)


def test_an_adapter_whose_base_is_gone_is_refused_in_a_sentence(tmp_path, base):
    on_base(base, "lora").save(tmp_path / "adapter")
    shutil.move(base, tmp_path / "moved")
    refused(
        tmp_path / "adapter",
        r"adapter is an adapter on .*base, which is not there; put that model back, or write where",
    )
    file = tmp_path / "adapter" / "adapter_config.json"
    file.write_text(file.read_text().replace(str(base), str(tmp_path / "moved")))
    assert load(tmp_path / "adapter", "cpu").context == 128


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", r"adapter_config\.json is damaged; copy or train the adapter again\."),
        ("{}", r"names no base model; write its place there as base_model_name_or_path\."),
        ("[3]", r"names no base model; write"),
    ],
)
def test_a_damaged_description_is_refused_in_a_sentence(tmp_path, base, content, sentence):
    on_base(base, "lora").save(tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_config.json").write_text(content)
    refused(tmp_path / "adapter", sentence)


def test_a_kind_nobody_asked_for_is_refused_in_a_sentence(tmp_path, base):
    on_base(base, "lora").save(tmp_path / "adapter")
    file = tmp_path / "adapter" / "adapter_config.json"
    file.write_text(file.read_text().replace('"LORA"', '"IA3"'))
    refused(tmp_path / "adapter", r"adapter of kind IA3, which Suffrage does not know; merge it")


@pytest.mark.parametrize("damage", ["junk", "gone", "of another rank", "one is missing"])
def test_damaged_weights_are_refused_in_a_sentence(tmp_path, base, damage):
    on_base(base, "lora").save(tmp_path / "adapter")
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    if damage == "gone":
        file.unlink()
    elif damage == "junk":
        file.write_bytes(b"x" * 99)
    elif damage == "one is missing":
        held = load_file(file)
        held.popitem()
        save_file(held, file)
    else:
        other = add(load(base, "cpu"), AdapterSettings(kind="lora", rank=4), seed=0)
        other.save(tmp_path / "other")
        shutil.copy(tmp_path / "other" / file.name, file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as a user may; the tests' own filter makes all errors
        refused(tmp_path / "adapter", r"adapter holds no adapter that can be loaded \(")


@pytest.mark.parametrize("kind", ["lora", "prefix"])
def test_without_peft_a_sentence_says_what_to_install(tmp_path, base, kind, monkeypatch):
    on_base(base, kind).save(tmp_path / "adapter")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ModelError, match=rf"^--adapter {kind} needs the peft package; run `pip in"):
        made(kind)
    refused(tmp_path / "adapter", r"holds an adapter, which needs the peft package; run `pip")


def test_four_bits_need_cuda_and_their_package(monkeypatch):
    """All that can be tried without a GPU: the two sentences."""
    with pytest.raises(ModelError, match=r"^--adapter qlora needs a CUDA device, and this run i"):
        check_four_bit(torch.device("cpu"))
    with pytest.raises(ModelError, match=r"is on cpu; take --adapter lora here\.$"):
        quantise(tiny.model(), torch.device("cpu"))
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ModelError, match=r"needs the bitsandbytes package; run `pip install 'suff"):
        check_four_bit(torch.device("cuda"))


def test_a_run_of_an_adapter_stands_for_the_adapter_in_it(tmp_path, base):
    on_base(base, "lora").save(tmp_path / "run" / "model")
    (tmp_path / "run" / "settings.json").write_text("{}")
    assert resolve(tmp_path / "run") == str(tmp_path / "run" / "model")
    (tmp_path / "run" / "model" / "config.json").unlink()
    assert resolve(tmp_path / "run") == str(tmp_path / "run" / "model")


@pytest.mark.parametrize("kind", ["lora", "prompt"])
def test_what_a_model_is_asked_after_goes_with_its_adapter(tmp_path, base, kind):
    asked = Condition("A kind answer:", "親切的回答：")
    replace(on_base(base, kind), condition=asked).save(tmp_path / "adapter")
    assert load(tmp_path / "adapter", "cpu").condition == asked
