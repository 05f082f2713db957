"""Continuous batching: a row that ends leaves its slot to a prompt that waits.

Keys and values stand in one buffer a layer, a slot a row, and a token is written in place, so a
step copies nothing. Slots in use come first: the last move into those that were left, and the model
sees views that end at the longest row. What a row may see is a mask of four dimensions, so this is
for the models whose layout is not "plain": they were found to take one.
Shape letters: S slots, R rows, J rows that join or move, P prompts, H heads, L tokens, E a head.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer

from suffrage.models.attention import as_model_takes
from suffrage.models.language_model import LanguageModel
from suffrage.models.rows import Row, Waiting

PREFILL = 2048  # tokens of prompts computed together
GROWTH = 128  # tokens by which buffers grow, or a quarter where that is more

KeysAndValues = tuple[Tensor, Tensor]


def takes_slots(bundle: LanguageModel) -> bool:
    """Whether the model takes a mask of its own and keeps nothing but keys and values."""
    layers = DynamicCache(config=bundle.model.config).layers
    return bundle.layout != "plain" and all(type(layer) is DynamicLayer for layer in layers)


class Slots(DynamicLayer):
    """One layer's keys and values, each (S, H, L, E), written at `place_R` in the first R slots."""

    def __init__(self, slots: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.slots = slots
        self.buffers: list[Tensor] = []
        self.place_R, self.longest = torch.zeros(0, dtype=torch.long), 0

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Write a token's (R, H, 1, E) and return all there is, (R, H, longest, E)."""
        self.reserve(self.longest)
        rows = torch.arange(len(self.place_R), device=self.place_R.device)
        for buffer, states in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[rows, :, self.place_R] = states[:, :, 0]
        keys, values = (buffer[: len(rows), :, : self.longest] for buffer in self.buffers)
        return keys, values

    def get_seq_length(self) -> int:
        return self.longest

    def reserve(self, length: int) -> None:
        """Room for so many tokens."""
        held = self.buffers[0].shape[2]
        if held < length:
            length = max(length, held + max(GROWTH, held // 4))
            self.buffers = [self._grown(buffer, length) for buffer in self.buffers]

    def _grown(self, buffer: Tensor, length: int) -> Tensor:
        # Zeros, because what a mask hides must still be finite.
        made = buffer.new_zeros(self.slots, buffer.shape[1], length, buffer.shape[3])
        made[: buffer.shape[0], :, : buffer.shape[2]] = buffer
        return made

    def fill(self, first: int, prompts: KeysAndValues, index_J: Tensor) -> None:
        """Copy prompts of a prefill into the slots from `first` on."""
        if not self.buffers:
            self.buffers = [states[:0, :, :0] for states in prompts]
        length = prompts[0].shape[2]
        self.reserve(length)
        for buffer, states in zip(self.buffers, prompts, strict=True):
            buffer[first : first + len(index_J), :, :length] = states[index_J]

    def move(self, source_J: Tensor, target_J: Tensor, length: int) -> None:
        """Copy so many tokens into other slots."""
        for buffer in self.buffers:
            buffer[target_J, :, :length] = buffer[source_J, :, :length]


class SlotRows:
    """Rows that come and go one by one."""

    states_RD: Tensor

    def __init__(self, bundle: LanguageModel, waiting: Waiting, size: int) -> None:
        self.bundle, self.waiting, self.size = bundle, waiting, size
        self.rows: list[Row] = []
        self.computed: deque[tuple[Row, int]] = deque()  # with their places in the last prefill
        self.layers = [Slots(size) for _ in DynamicCache(config=bundle.model.config).layers]
        self.cache = Cache(layers=list(self.layers))

    def join(self) -> None:
        while len(self.rows) < self.size and (self.computed or self.waiting):
            if not self.computed:
                self._prefill()
            room = self.size - len(self.rows)
            self._place([self.computed.popleft() for _ in range(min(room, len(self.computed)))])

    def _prefill(self) -> None:
        """Compute the next prompts, padded on the right, where causal attention sees no padding."""
        asked = [self.waiting.popleft()]
        while self.waiting and self.waiting[0][0].length * (len(asked) + 1) <= PREFILL:
            asked.append(self.waiting.popleft())
        lengths = [own[0].length for own in asked]
        padded = [[*own[0].prompt, *[0] * (max(lengths) - own[0].length)] for own in asked]
        ids_PL = torch.tensor(padded, device=self.bundle.device)
        cache = DynamicCache(config=self.bundle.model.config)
        states: Tensor = self.bundle.model.base_model(
            input_ids=ids_PL,
            position_ids=torch.arange(ids_PL.shape[1], device=ids_PL.device).expand_as(ids_PL),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        self.prefill: list[KeysAndValues] = [(keys, values) for keys, values, _ in cache]
        self.prompt_states_PD = states[torch.arange(len(asked)), torch.tensor(lengths) - 1]
        self.computed.extend((row, place) for place, own in enumerate(asked) for row in own)

    def _place(self, joining: Sequence[tuple[Row, int]]) -> None:
        first, index_J = len(self.rows), self._tensor([place for _, place in joining])
        for layer, prompts in zip(self.layers, self.prefill, strict=True):
            layer.fill(first, prompts, index_J)
        self.rows += [row for row, _ in joining]
        states_JD = self.prompt_states_PD[index_J]
        self.states_RD = torch.cat([self.states_RD, states_JD]) if first else states_JD

    def advance(self, staying: Sequence[int]) -> None:
        self._close_up(staying)
        if not self.rows:
            return
        place_R = self._tensor([row.length - 1 for row in self.rows])
        longest = max(row.length for row in self.rows)
        for layer in self.layers:
            layer.place_R, layer.longest = place_R, longest
        seen_RL = torch.arange(longest, device=place_R.device) <= place_R[:, None]
        states: Tensor = self.bundle.model.base_model(
            input_ids=self._tensor([row.tokens[-1] for row in self.rows])[:, None],
            attention_mask=as_model_takes(self.bundle.model, seen_RL[:, None, None]),
            position_ids=place_R[:, None],
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state
        self.states_RD = states[:, -1]

    def _close_up(self, staying: Sequence[int]) -> None:
        """Move the last rows into the slots of those that left."""
        count = len(staying)
        empty = sorted(set(range(count)) - set(staying))
        movers = [place for place in staying if place >= count]
        for target, source in zip(empty, movers, strict=True):
            self.rows[target] = self.rows[source]
        self.rows = self.rows[:count]
        if movers:
            source_J, target_J = self._tensor(movers), self._tensor(empty)
            # Not `longest`, which is of the last step: rows that joined since may be longer.
            length = max(self.rows[place].length for place in empty)
            for layer in self.layers:
                layer.move(source_J, target_J, length)

    def _tensor(self, numbers: Sequence[int]) -> Tensor:
        return torch.tensor(list(numbers), device=self.bundle.device)
