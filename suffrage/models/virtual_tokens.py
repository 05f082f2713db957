"""A model that reads learned tokens before every text: prefix tuning and prompt tuning.

PEFT keeps the tokens and their form on disk; here they are put before a batch, so that the one
forward and the sampler work as they do without. Shape letters: R rows, L row length, V virtual
tokens, D width.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import Cache, PreTrainedModel


class VirtualTokens(nn.Module):
    """What forward and sampling read of a causal model, with V virtual tokens before each row.

    peft: a `PeftModel` with prefix tuning (2101.00190: learned keys and values in every layer) or
    prompt tuning (2104.08691: learned input embeddings).
    """

    def __init__(self, peft: Any) -> None:
        super().__init__()
        self.peft = peft

    @property
    def text_model(self) -> PreTrainedModel:
        """The model without the virtual tokens."""
        return cast(PreTrainedModel, self.peft.get_base_model())

    @property
    def count(self) -> int:
        return int(self.peft.active_peft_config.num_virtual_tokens)

    @property
    def weight(self) -> Tensor:
        """The virtual tokens themselves: (V, what one of them takes)."""
        return cast(Tensor, self.peft.prompt_encoder[self.peft.active_adapter].embedding.weight)

    @property
    def config(self) -> Any:
        return self.text_model.config

    @property
    def device(self) -> torch.device:
        return self.text_model.device

    @property
    def dtype(self) -> torch.dtype:
        return self.text_model.dtype

    def get_input_embeddings(self) -> Any:
        return self.text_model.get_input_embeddings()

    def get_output_embeddings(self) -> Any:
        return self.text_model.get_output_embeddings()

    def num_parameters(self) -> int:
        return self.text_model.num_parameters() + self.weight.numel()

    def base_model(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        position_ids: Tensor,
        past_key_values: Cache | None = None,
        use_cache: bool = False,
    ) -> SimpleNamespace:
        """As the backbone of the model: `last_hidden_state` is (R, L, D), without virtual tokens.

        attention_mask: (R, tokens so far), without virtual ones; position_ids: (R, L), from 0.
        """
        begins = past_key_values is None or past_key_values.get_seq_length() == 0
        rows = input_ids.shape[0]
        mask = torch.cat([attention_mask.new_ones(rows, self.count), attention_mask], 1)
        positions = position_ids + self.count
        text: dict[str, Tensor] = {"input_ids": input_ids}
        if begins and self._in_every_layer:
            past_key_values = self._prefix(rows, past_key_values)
        elif begins:
            embedded = self.get_input_embeddings()(input_ids)
            prompt = self.peft.get_prompt(rows).to(embedded.dtype)
            text = {"inputs_embeds": torch.cat([prompt, embedded], 1)}
            places = torch.arange(self.count, device=positions.device).expand(rows, -1)
            positions = torch.cat([places, positions], 1)
        states = self.text_model.base_model(
            **text,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=past_key_values,
            use_cache=use_cache,
        ).last_hidden_state
        return SimpleNamespace(last_hidden_state=states[:, -input_ids.shape[1] :])

    @property
    def _in_every_layer(self) -> bool:
        return str(self.peft.active_peft_config.peft_type.value) == "PREFIX_TUNING"

    def _prefix(self, rows: int, cache: Cache | None) -> Cache:
        """The prefix's keys and values, in the caller's empty cache where there is one."""
        learned: Any = self.peft.get_prompt(rows)  # a DynamicCache
        if cache is None:
            return cast(Cache, learned)
        for index, layer in enumerate(learned.layers):
            cache.update(layer.keys, layer.values, index)
        return cache


def activations(model: PreTrainedModel, input_ids_1V: Tensor) -> Tensor:
    """(V, what PEFT keeps of one token): keys and values in every layer, as a prefix's start."""
    with torch.no_grad():
        cache = model.base_model(input_ids=input_ids_1V, use_cache=True).past_key_values
    kept = [
        part[0].transpose(0, 1) for layer in cache.layers for part in (layer.keys, layer.values)
    ]
    return torch.stack(kept, 1).flatten(1)
