"""Load a causal language model with its tokenizer, and say what it can do.

`layout` is found out, not looked up: the loader runs a small forest both ways and keeps the forest
layout only where the two agree, so that an architecture nobody listed is still computed right.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from suffrage.core.errors import ModelError
from suffrage.data.conditioning import Condition, load_condition, save_condition
from suffrage.data.encode import Branch, Encoder, Overlong, Tree
from suffrage.data.forest import Layout
from suffrage.models.folder import base_of, is_adapter, resolve
from suffrage.models.forward import check_head, pick_layout

transformers_logging.disable_progress_bar()
transformers_logging.set_verbosity_error()
logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # what came of its retries we say

NO_LIMIT = 1 << 20  # a context of models that state none


@dataclass(frozen=True)
class LanguageModel:
    """A model, its tokenizer, and what was found out about them.

    end_ids: every token that ends a completion; the tokenizer's own end token comes first.
    context: the most tokens the model takes.
    condition: what it learned to answer after, if it did: see `suffrage.data.conditioning`.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    end_ids: tuple[int, ...]
    context: int
    layout: Layout = "plain"
    condition: Condition | None = None

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def parameters(self) -> int:
        return self.model.num_parameters()

    def encoder(self, overlong: Overlong = "refuse", limit: int | None = None) -> Encoder:
        """Reads prompts as they are; only who asks for an answer says the condition as well."""
        context = min(limit or self.context, self.context)
        return Encoder(self.tokenizer, self.end_ids, context, overlong)

    def frozen_copy(self) -> LanguageModel:
        """A copy as the model is now, without gradients: the reference of RLHF and DPO."""
        model = copy.deepcopy(self.model)
        model.requires_grad_(False)
        return replace(self, model=model)

    def save(self, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """Write the model and the tokenizer in Hugging Face form.

        weights: of the whole model, where this process holds only a share of them.
        """
        self.model.save_pretrained(folder, state_dict=None if weights is None else dict(weights))
        self.tokenizer.save_pretrained(folder)
        save_condition(self.condition, folder)


def load(name: str | Path, device: str | torch.device | None = None) -> LanguageModel:
    """A causal language model from a folder, a run directory or a Hugging Face name.

    A folder that holds an adapter gives the model it names with the adapter in place.
    """
    place = resolve(name)
    if "SequenceClassification" in "".join(load_config(name).architectures or ()):
        raise ModelError(f"{name} is a reward model, which writes no text; name a language model.")
    if is_adapter(place):
        from suffrage.models.adapter_files import load_adapted  # it stands on this module

        made = load_adapted(name, device)
        return replace(made, condition=load_condition(place))  # its own, not that of its base
    model = from_pretrained(AutoModelForCausalLM, place, name)
    tokenizer = load_tokenizer(place, name)
    ready = model.to(device or pick_device())  # type: ignore[arg-type]
    made = describe(str(name), ready, tokenizer)
    return replace(made, condition=load_condition(place))


def describe(
    name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> LanguageModel:
    """Wrap a model in hand; dropout is off from here on, so that every forward is repeatable."""
    switch_off_dropout(model)
    trees = _probe_trees(model)
    if model.get_output_embeddings() is not None:
        check_head(model, trees)
    ends = _end_ids(model, tokenizer)
    return LanguageModel(name, model, tokenizer, ends, _context(model), pick_layout(model, trees))


def pick_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def from_pretrained(auto: Any, place: str, name: str | Path, **options: Any) -> PreTrainedModel:
    """Load weights in single precision; one sentence when that fails or some are missing."""
    model: PreTrainedModel
    try:
        model, found = auto.from_pretrained(
            place,
            dtype=torch.float32,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are told below, in a sentence
            **options,
        )
    except Exception as error:  # whatever a damaged file makes the libraries raise
        raise unloadable(name, "model", error) from error
    if wrong := found["mismatched_keys"]:
        weight, held, needed = next(iter(wrong))
        raise ModelError(
            f"{name} holds {weight} of shape {list(held)} where its config.json asks for "
            f"{list(needed)}; copy or download the folder again."
        )
    if missing := sorted(found["missing_keys"]):
        raise ModelError(
            f"{name} holds no weights for {missing[0]}, which {type(model).__name__} needs; choose "
            "a model of that kind."
        )
    return model


def load_tokenizer(place: str, name: str | Path) -> PreTrainedTokenizerBase:
    """The model's tokenizer; one sentence when it has none."""
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            place, trust_remote_code=False
        )
    except Exception as error:  # whatever a damaged file makes the libraries raise
        raise unloadable(name, "tokenizer", error) from error
    return tokenizer


def unloadable(name: str | Path, what: str, error: Exception) -> ModelError:
    """What to say of a folder or name from which a library could not load."""
    if not Path(name).exists():
        return ModelError(
            f"{name} is no folder here, and the Hugging Face hub did not give it; check the name, "
            "the network and, for a gated model, `hf auth login`."
        )
    reason = " ".join(str(error).split())[:200].rstrip(".:")
    return ModelError(
        f"{name} holds no {what} that can be loaded ({type(error).__name__}: {reason}); copy or "
        "download the folder again."
    )


def load_config(name: str | Path) -> Any:
    """The model's configuration, without its weights."""
    place = resolve(name)
    if is_adapter(place) and not (Path(place) / "config.json").exists():
        return load_config(base_of(place))
    try:
        return AutoConfig.from_pretrained(place, trust_remote_code=False)
    except Exception as error:  # whatever a damaged file makes the libraries raise
        raise unloadable(name, "model", error) from error


def switch_off_dropout(model: torch.nn.Module) -> None:
    """Dropout would make the probability ratio differ from 1 before the first update."""
    model.eval()  # some families read their rate from the config, which only this overrules
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for key in ("attention_dropout", "attn_pdrop", "dropout", "attention_probs_dropout_prob"):
        for module in model.modules():
            if isinstance(getattr(module, key, None), float):
                setattr(module, key, 0.0)


def _end_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Every id of generation_config, config and tokenizer that means "the answer is over"."""
    stated: list[Any] = [tokenizer.eos_token_id]
    for config in (getattr(model, "generation_config", None), model.config):
        ids = getattr(config, "eos_token_id", None)
        stated.extend(ids if isinstance(ids, (list, tuple)) else [ids])
    found = tuple(dict.fromkeys(int(i) for i in stated if i is not None))
    if not found:
        raise ModelError("the model names no end token; set eos_token_id in its config.json.")
    return found


def _context(model: PreTrainedModel) -> int:
    for key in ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx"):
        value = getattr(model.config, key, None)
        if isinstance(value, int) and value > 0:
            return value
    return NO_LIMIT


def _probe_trees(model: PreTrainedModel) -> list[Tree]:
    """Two trees that fill one row, with branches long enough to betray a wrong mask."""
    vocab: int = model.get_input_embeddings().weight.shape[0]  # type: ignore[index,assignment]
    ids = [(7 * i + 3) % vocab for i in range(24)]
    first = Tree(ids[:5], (Branch(ids[5:9]), Branch(ids[9:12])))
    second = Tree(ids[12:15], (Branch(ids[15:19]), Branch(ids[19:24])))
    return [first, second]
