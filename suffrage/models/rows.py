"""The rows being decoded: how they come in, go on by a token, and leave.

`GroupRows` suits every model: rows of some prompts begin together, in the model's own cache, and
the next come when all have ended. `suffrage.models.slots` is quicker where a model allows it.
Shape letters: R rows, P prompts, L tokens so far, D width.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from suffrage.models.forward import has_local_attention
from suffrage.models.language_model import LanguageModel
from suffrage.models.virtual_tokens import VirtualTokens


@dataclass(eq=False)
class Row:
    """One completion as it is written."""

    prompt: Sequence[int]
    random: np.random.Generator
    tokens: list[int] = field(default_factory=list)
    logps: list[float] = field(default_factory=list)
    finished: bool = False

    @property
    def length(self) -> int:
        return len(self.prompt) + len(self.tokens)


Waiting = deque[list[Row]]  # the rows of each prompt that has not begun


class Rows(Protocol):
    """Rows between two choices of a token; row r of `states_RD` predicts that of `rows[r]`."""

    rows: list[Row]
    states_RD: Tensor

    def join(self) -> None:
        """Let in what waits, as far as there is room."""

    def advance(self, staying: Sequence[int]) -> None:
        """Go on with the rows at these places, each by the token it chose last."""


class GroupRows:
    """Rows of prompts that begin together and are padded on the left to one length."""

    def __init__(self, bundle: LanguageModel, waiting: Waiting, size: int) -> None:
        self.bundle, self.waiting, self.size = bundle, waiting, size
        self.rows: list[Row] = []
        model = bundle.model
        # Padding would come between virtual tokens and a window that sees them.
        self.alike = isinstance(model, VirtualTokens) and has_local_attention(model.config)

    def join(self) -> None:
        if self.rows or not self.waiting:
            return
        prompts = [self.waiting.popleft()]
        n, length = len(prompts[0]), prompts[0][0].length
        while self.waiting and (len(prompts) + 1) * n <= self.size:
            if self.alike and self.waiting[0][0].length != length:
                break
            prompts.append(self.waiting.popleft())
        self.rows = [row for own in prompts for row in own]
        self._begin([own[0].prompt for own in prompts], n)

    def _begin(self, prompts: Sequence[Sequence[int]], n: int) -> None:
        """Compute each prompt once and repeat its cache for the n samples."""
        length = max(len(prompt) for prompt in prompts)
        padded = [[0] * (length - len(prompt)) + list(prompt) for prompt in prompts]
        mask_PL = torch.tensor(
            [[int(i >= length - len(p)) for i in range(length)] for p in prompts],
            device=self.bundle.device,
        )
        positions_PL = (mask_PL.cumsum(1) - 1).clamp(min=0)
        self.cache = DynamicCache(config=self.bundle.model.config)
        states_PD = self._states(padded, mask_PL, positions_PL)
        self.cache.batch_repeat_interleave(n)
        self.mask_RL = mask_PL.repeat_interleave(n, 0)
        self.states_RD = states_PD.repeat_interleave(n, 0)

    def advance(self, staying: Sequence[int]) -> None:
        if len(staying) < len(self.rows):
            self._keep(staying)
        if not self.rows:
            return
        self.mask_RL = torch.cat([self.mask_RL, torch.ones_like(self.mask_RL[:, :1])], 1)
        position_R1 = torch.tensor([[row.length - 1] for row in self.rows])
        tokens = [[row.tokens[-1]] for row in self.rows]
        self.states_RD = self._states(tokens, self.mask_RL, position_R1.to(self.bundle.device))

    def _keep(self, staying: Sequence[int]) -> None:
        self.rows = [self.rows[i] for i in staying]
        if self.rows:
            places = torch.tensor(list(staying), device=self.bundle.device)
            self.cache.batch_select_indices(places)
            self.mask_RL = self.mask_RL[places]

    def _states(self, tokens: list[list[int]], mask: Tensor, positions: Tensor) -> Tensor:
        """The last hidden state of every row."""
        states: Tensor = self.bundle.model.base_model(
            input_ids=torch.tensor(tokens, device=self.bundle.device),
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state
        return states[:, -1]
