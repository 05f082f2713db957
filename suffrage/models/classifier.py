"""Any sequence classifier of Hugging Face as a reward (`hf:MODEL#label`), on text.

It has its own tokenizer and its own way to read, which need not be the policy's: only text passes
between them. Unlike a reward model of Suffrage it need not be causal, so it reads whole texts, one
row each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from jinja2 import TemplateError
from torch import Tensor
from transformers import (
    AutoModelForSequenceClassification,
    BatchEncoding,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from suffrage.core.errors import ModelError, PromptError
from suffrage.core.records import Prompt
from suffrage.data.conditioning import turns
from suffrage.models.folder import resolve
from suffrage.models.language_model import (
    from_pretrained,
    load_config,
    load_tokenizer,
    switch_off_dropout,
)
from suffrage.models.reward_name import RewardName

AT_ONCE = 32  # texts
LABELS_NAMED = 12  # in an error


@dataclass(frozen=True)
class Classifier:
    """A classifier and the label whose evidence is the reward."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    label: int

    def scores(self, prompts: Sequence[Prompt], texts: Sequence[Sequence[str]]) -> Tensor:
        """(B,) on the CPU: the reward of every text, those of the first prompt first."""
        asked = [(p, text) for p, own in zip(prompts, texts, strict=True) for text in own]
        size = self._at_once()
        parts = [asked[start : start + size] for start in range(0, len(asked), size)]
        scores = [self._score([self._read(*one) for one in part]) for part in parts]
        return torch.cat(scores) if scores else torch.zeros(0)

    def _at_once(self) -> int:
        """Without a token to pad with, texts of different lengths cannot share a batch."""
        known = (self.tokenizer.pad_token, self.model.config.pad_token_id)
        return 1 if None in known else AT_ONCE

    def _read(self, prompt: Prompt, text: str) -> BatchEncoding:
        """The tokens of prompt and answer; of what is too long the beginning is left out."""
        cut: dict[str, Any] = {"truncation": True, "max_length": self._limit()}
        if self.tokenizer.chat_template is None:
            return cast(BatchEncoding, self.tokenizer(prompt.text, text, **cut))
        said = [turn.model_dump() for turn in turns(prompt)]
        said.append({"role": "assistant", "content": text})
        try:
            whole = str(self.tokenizer.apply_chat_template(said, tokenize=False))
        except TemplateError as error:
            raise PromptError(
                f"does not suit the reward's chat template ({error}); change its turns or take it "
                "out.",
                prompt.id,
            ) from error
        return cast(BatchEncoding, self.tokenizer(whole, add_special_tokens=False, **cut))

    def _limit(self) -> int:
        named = ("max_position_embeddings", "n_positions")
        known = [getattr(self.model.config, name, None) for name in named]
        return min(int(n) for n in (self.tokenizer.model_max_length, *known) if n)

    def _score(self, read: list[BatchEncoding]) -> Tensor:
        padding = self._at_once() > 1
        batch = self.tokenizer.pad(read, padding=padding, return_tensors="pt").to(self.model.device)
        with torch.no_grad():
            logits_BC = self.model(**batch).logits.float().cpu()
        return evidence(logits_BC, self.label, self.model.config.problem_type)


def evidence(logits_BC: Tensor, label: int, problem: str | None) -> Tensor:
    """(B,) what B rows of C logits say for one label.

    One logit, those of a regression and those of labels that do not exclude each other are taken as
    they are. Of labels that do, it is the log-odds, z_k - log sum_{j != k} exp(z_j): of two classes
    the difference of the logits. Unlike a probability it does not flatten where the classifier is
    sure.
    """
    own_B = logits_BC[:, label]
    if logits_BC.shape[1] == 1 or problem in ("regression", "multi_label_classification"):
        return own_B
    others = [column for column in range(logits_BC.shape[1]) if column != label]
    return own_B - logits_BC[:, others].logsumexp(1)


def load_classifier(name: RewardName, device: torch.device) -> Classifier:
    """The classifier in a folder or of a Hugging Face name, with the label that was named."""
    place = resolve(name.model)
    label = _label(name, load_config(name.model).id2label)
    model = from_pretrained(AutoModelForSequenceClassification, place, name.model)
    switch_off_dropout(model)
    model.requires_grad_(False)
    tokenizer = load_tokenizer(place, name.model)
    tokenizer.truncation_side = "left"  # an answer's end tells more than how the prompt began
    return Classifier(model.to(device), tokenizer, label)  # type: ignore[arg-type]


def _label(name: RewardName, labels: Mapping[int, str]) -> int:
    """The number of the label: by its name, by its number, or the only one."""
    if not name.output and len(labels) == 1:
        return 0
    by_name = {label: number for number, label in labels.items()}
    by_number = {str(number): number for number in labels}
    found = by_name.get(name.output, by_number.get(name.output))
    if found is None:
        wrong = f"has no label {name.output!r}" if name.output else f"has {len(labels)} labels"
        known = [labels[number] for number in sorted(labels)]
        more = ", ..." if len(known) > LABELS_NAMED else ""
        raise ModelError(
            f"{name.model} {wrong}; name one as hf:{name.model}#LABEL: "
            f"{', '.join(known[:LABELS_NAMED])}{more}."
        )
    return found
