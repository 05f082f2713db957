"""Models with one number a token: reward models and critics.

Both are Hugging Face sequence classifiers with one label (`score` on the backbone's hidden states),
so that anyone can load a saved reward model without Suffrage.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from suffrage.core.errors import ModelError
from suffrage.data.encode import Tree
from suffrage.data.forest import Forest, pack, split
from suffrage.models.forward import at_least_single, hidden_states
from suffrage.models.language_model import (
    LanguageModel,
    describe,
    from_pretrained,
    load_config,
    load_tokenizer,
    resolve,
    switch_off_dropout,
)

OFFSET = "reward_offset"  # in config.json: subtracted, so that reference answers score 0 on average


@dataclass(frozen=True)
class ScalarModel:
    """A backbone with one linear output; `base` tells tokenizer, end tokens, context and layout."""

    base: LanguageModel

    @property
    def model(self) -> PreTrainedModel:
        return self.base.model

    @property
    def offset(self) -> float:
        return float(getattr(self.model.config, OFFSET, 0.0))

    def copy(self) -> ScalarModel:
        return ScalarModel(replace(self.base, model=copy.deepcopy(self.model)))


def scores(scalar: ScalarModel, forest: Forest) -> Tensor:
    """(B,): the reward of each branch, read at its last token."""
    hidden = hidden_states(scalar.model, forest)
    return at_least_single(_head(scalar.model)(hidden[forest.last_B]).squeeze(1)) - scalar.offset


def values(scalar: ScalarModel, forest: Forest) -> Tensor:
    """(N,): the value of the state before each scored token."""
    hidden = hidden_states(scalar.model, forest)
    value_N = _head(scalar.model)(hidden[forest.predictor_N]).squeeze(1)
    return at_least_single(value_N) - scalar.offset


def score_trees(scalar: ScalarModel, trees: list[Tree], budget: int = 16384) -> Tensor:
    """(B,) on the CPU: rewards of many trees, without gradients, `budget` tokens at a time."""
    parts = []
    with torch.no_grad():
        for indices in split(trees, budget):
            forest = pack([trees[i] for i in indices], scalar.base.layout)
            parts.append(scores(scalar, forest.to(scalar.base.device)).cpu())
    return torch.cat(parts) if parts else torch.zeros(0)


def from_language_model(base: LanguageModel, seed: int) -> ScalarModel:
    """The language model's backbone with a new head, N(0, 1 / (D + 1)) (2009.01325, section 3)."""
    config = copy.deepcopy(base.model.config)
    config.num_labels = 1
    config.pad_token_id = _padding_id(base)
    config.eos_token_id = list(base.end_ids)
    try:
        model = AutoModelForSequenceClassification.from_config(config)
    except ValueError as error:
        kind = type(base.model).__name__
        raise ModelError(
            f"{kind} has no sequence classifier in transformers, so it cannot become a reward "
            "model; choose another base model."
        ) from error
    model.base_model.load_state_dict(base.model.base_model.state_dict())
    head = _head(model)
    generator = torch.Generator().manual_seed(seed)
    width = head.weight.shape[1]
    with torch.no_grad():
        noise = torch.randn(head.weight.shape, generator=generator)
        head.weight.copy_(noise / (width + 1) ** 0.5)
    tokenizer = copy.deepcopy(base.tokenizer)
    tokenizer.pad_token = _word(tokenizer, config.pad_token_id)
    return _wrap(replace(base, tokenizer=tokenizer), model)


def load_reward(name: str | Path, device: torch.device) -> ScalarModel:
    """A reward model from a run directory, a folder or a Hugging Face name."""
    labels = getattr(load_config(name), "num_labels", 0)
    place = resolve(name)
    if labels != 1 or not _is_classifier(name):
        raise ModelError(
            f"{name} is no reward model (a sequence classifier with one label); train one with "
            "`suffrage train reward`."
        )
    model = from_pretrained(AutoModelForSequenceClassification, place, name).to(device)  # type: ignore[arg-type]
    model.requires_grad_(False)
    return ScalarModel(describe(str(name), model, load_tokenizer(place, name)))


def _is_classifier(name: str | Path) -> bool:
    built_as = getattr(load_config(name), "architectures", None) or [""]
    return "SequenceClassification" in built_as[0]


def _wrap(base: LanguageModel, model: PreTrainedModel) -> ScalarModel:
    switch_off_dropout(model)
    return ScalarModel(replace(base, model=model.to(base.device)))  # type: ignore[arg-type]


def _padding_id(base: LanguageModel) -> int:
    """A token that never ends a text: transformers reads the score before the last run of it.

    The tokenizer's own padding, unless it is also an end token or absent; else another special
    token; else the byte FF, which no UTF-8 text has.
    """
    tokenizer = base.tokenizer
    special = sorted(tokenizer.all_special_ids, key=lambda i: "pad" not in _word(tokenizer, i))
    bytes_FF = [i for word in ("<0xFF>", "ÿ") if (i := tokenizer.get_vocab().get(word)) is not None]
    unwritten = [i for i in bytes_FF if tokenizer.decode([i]) == "\N{REPLACEMENT CHARACTER}"]
    wanted = [tokenizer.pad_token_id, tokenizer.unk_token_id, *special, *unwritten]
    free = (i for i in wanted if i is not None and i not in base.end_ids)
    return int(next(free, base.end_ids[0]))


def _word(tokenizer: PreTrainedTokenizerBase, token: int) -> str:
    return str(tokenizer.convert_ids_to_tokens(token))


def _head(model: PreTrainedModel) -> nn.Linear:
    head = getattr(model, "score", None)
    if not isinstance(head, nn.Linear):
        raise ModelError(f"{type(model).__name__} has no linear `score` head; choose another base.")
    return head
