"""Models with one number a token: reward models and critics.

Both are Hugging Face sequence classifiers with one label (`score` on the backbone's hidden states),
so that anyone can load a saved reward model without Suffrage.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
from suffrage.models.folder import base_of, is_adapter, resolve
from suffrage.models.forward import at_least_single, hidden_states
from suffrage.models.language_model import (
    LanguageModel,
    describe,
    from_pretrained,
    load,
    load_config,
    load_tokenizer,
    switch_off_dropout,
)
from suffrage.models.reward_name import RewardName, reward_name

# In config.json: subtracted, so that reference answers score 0 on average (a list, one a head), and
# the names of the heads where there are several.
OFFSET, HEADS = "reward_offset", "reward_heads"


@dataclass(frozen=True)
class ScalarModel:
    """A backbone with a linear output, or with one a head while several are trained.

    `base` tells tokenizer, end tokens, context and layout.
    """

    base: LanguageModel

    @property
    def model(self) -> PreTrainedModel:
        return self.base.model

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads' names; none where there is one head."""
        return tuple(getattr(self.model.config, HEADS, ()))

    @property
    def offsets(self) -> list[float]:
        """What is subtracted from each head's scores."""
        return _offsets(self.model.config)

    @property
    def weight_HD(self) -> Tensor:
        """The heads' weights."""
        return _head(self.model).weight

    @property
    def offset(self) -> float:
        """The offset of a model of one head."""
        (only,) = self.offsets
        return only

    def copy(self) -> ScalarModel:
        return ScalarModel(replace(self.base, model=copy.deepcopy(self.model)))


def scores(scalar: ScalarModel, forest: Forest) -> Tensor:
    """(B,), or (B, H) for H heads: the reward of each branch, read at its last token."""
    hidden = hidden_states(scalar.model, forest)
    score_BH = _read_head(scalar.model, hidden[forest.last_B])
    return (score_BH - score_BH.new_tensor(scalar.offsets)).squeeze(1)


def values(scalar: ScalarModel, forest: Forest) -> Tensor:
    """(N,): the value of the state before each scored token."""
    hidden = hidden_states(scalar.model, forest)
    return _read_head(scalar.model, hidden[forest.predictor_N]).squeeze(1) - scalar.offset


def _read_head(model: PreTrainedModel, hidden_ND: Tensor) -> Tensor:
    """(N, H), never in half precision, whose three digits are too few to compare rewards."""
    head = _head(model)
    with torch.autocast(hidden_ND.device.type, enabled=False):
        return at_least_single(head(hidden_ND.to(head.weight.dtype)))


def score_trees(scalar: ScalarModel, trees: list[Tree], budget: int = 16384) -> Tensor:
    """What `scores` gives for many trees, on the CPU: no gradients, `budget` tokens at a time."""
    parts = []
    with torch.no_grad():
        for indices in split(trees, budget):
            forest = pack([trees[i] for i in indices], scalar.base.layout)
            parts.append(scores(scalar, forest.to(scalar.base.device)).cpu())
    return torch.cat(parts) if parts else torch.zeros(0)


def from_language_model(
    base: LanguageModel, seed: int, heads: Sequence[str] = (), alike: bool = False
) -> ScalarModel:
    """The language model's backbone with a new head, N(0, 1 / (D + 1)) (2009.01325, section 3).

    heads: the names of several; alike: whether all of them start as the same.
    """
    if not isinstance(base.model, PreTrainedModel):
        raise ModelError(
            f"{base.name} reads virtual tokens, so it cannot become a reward model or a critic; "
            "name the model they stand on."
        )
    config = _config(base, heads)
    try:
        model = AutoModelForSequenceClassification.from_config(config)
    except ValueError as error:
        kind = type(base.model).__name__
        raise ModelError(
            f"{kind} has no sequence classifier in transformers, so it cannot become a reward "
            "model; choose another base model."
        ) from error
    model.base_model.load_state_dict(base.model.base_model.state_dict())
    _draw(_head(model), seed, alike)
    tokenizer = copy.deepcopy(base.tokenizer)
    tokenizer.pad_token = _word(tokenizer, config.pad_token_id)
    return _wrap(replace(base, tokenizer=tokenizer), model)


def _config(base: LanguageModel, heads: Sequence[str]) -> Any:
    """The language model's as a classifier's, with an output a head."""
    config = copy.deepcopy(base.model.config)
    config.num_labels = max(1, len(heads))
    if heads:
        config.id2label = dict(enumerate(heads))
        config.label2id = {name: number for number, name in enumerate(heads)}
        setattr(config, HEADS, list(heads))
    config.pad_token_id = _padding_id(base)
    config.eos_token_id = list(base.end_ids)
    return config


def _draw(head: nn.Linear, seed: int, alike: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    width = head.weight.shape[1]
    with torch.no_grad():
        rows = 1 if alike else len(head.weight)
        noise = torch.randn((rows, width), generator=generator)
        head.weight.copy_(noise.expand_as(head.weight) / (width + 1) ** 0.5)


def load_reward(name: str | Path, device: torch.device) -> ScalarModel:
    """A reward model from a run directory, a folder or a Hugging Face name, with one head.

    Of several heads, `NAME#HEAD` takes one, by name or number; the bare name takes their mean.
    """
    parts = reward_name(name)
    config, place = load_config(parts.model), resolve(parts.model)
    _check_reward(parts.model, config)
    if is_adapter(place):
        model = _adapted(parts.model, place, device)
    else:
        auto = AutoModelForSequenceClassification
        model = from_pretrained(auto, place, parts.model).to(device)  # type: ignore[arg-type]
    _keep_one_head(model, parts)
    model.requires_grad_(False)
    return ScalarModel(describe(str(name), model, load_tokenizer(place, parts.model)))


def _check_reward(name: str, config: Any) -> None:
    built_as = getattr(config, "architectures", None) or [""]
    classifier = "SequenceClassification" in built_as[0]
    if not classifier or (config.num_labels != 1 and not hasattr(config, HEADS)):
        other = f", or name one of its labels as hf:{name}#LABEL" if classifier else ""
        raise ModelError(
            f"{name} is no reward model (a sequence classifier with one label); train one with "
            f"`suffrage train reward`{other}."
        )


def _keep_one_head(model: PreTrainedModel, name: RewardName) -> None:
    """Let the head that was named, or the mean of all, be the only one."""
    config, heads = model.config, list(getattr(model.config, HEADS, ()))
    if name.output and name.output not in (*heads, *map(str, range(len(heads)))):
        known = f"it has {', '.join(heads)}" if heads else f"it has one, {name.model}"
        raise ModelError(f"{name.model} has no head {name.output!r}; {known}.")
    if not heads:
        return
    taken = list(range(len(heads)))
    if name.output:
        taken = [heads.index(name.output) if name.output in heads else int(name.output)]
    old, offsets = _head(model), _offsets(config)
    new = nn.Linear(old.in_features, 1, bias=False, device=old.weight.device)
    new.weight.data.copy_(old.weight[taken].mean(0, keepdim=True))
    model.score = new
    config.num_labels = 1
    model.num_labels = 1  # type: ignore[assignment]
    delattr(config, HEADS)
    setattr(config, OFFSET, sum(offsets[i] for i in taken) / len(taken))


def _offsets(config: Any) -> list[float]:
    found = getattr(config, OFFSET, 0.0)
    stated = found if isinstance(found, list) else [found] * config.num_labels
    return [float(offset) for offset in stated]


def _adapted(name: str, place: str, device: torch.device) -> PreTrainedModel:
    """The language model that the adapter's folder names, with the adapter and its head in it."""
    from suffrage.models.adapter_files import merge_saved  # only adapters need PEFT

    config = load_config(name)
    heads = getattr(config, HEADS, ())
    model = merge_saved(name, from_language_model(load(base_of(place), device), 0, heads).model)
    setattr(model.config, OFFSET, getattr(config, OFFSET, 0.0))
    return model


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
    head = getattr(head, "modules_to_save", {"default": head})["default"]  # PEFT's trained copy
    if not isinstance(head, nn.Linear):
        raise ModelError(f"{type(model).__name__} has no linear `score` head; choose another base.")
    return head
