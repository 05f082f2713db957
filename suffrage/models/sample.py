"""Sampling: n completions a prompt, the prompt computed once, rows leaving as they finish.

Random numbers belong to (seed, prompt, sample), not to a place in the batch, so the same text comes
out whatever the batch size or company. A model that allows it lets waiting prompts join as rows
leave (`suffrage.models.slots`); any other decodes a group of prompts to the end.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from suffrage.core.errors import NumericalError, SettingsError
from suffrage.core.progress import progress_bar
from suffrage.models.forward import head_logits
from suffrage.models.language_model import LanguageModel
from suffrage.models.rows import GroupRows, Row, Rows
from suffrage.models.sampling import Sampling
from suffrage.models.slots import SlotRows, takes_slots
from suffrage.models.token_choice import choose, penalised, without

__all__ = ["Sample", "Sampling", "choose", "sample"]


@dataclass(frozen=True)
class Sample:
    """One sampled completion."""

    tokens: list[int]  # end token included, where there is one
    logps: list[float]  # log-probability of each under the temperature, before top-k and top-p
    finished: bool  # whether an end token or a stop string closed it


@torch.no_grad()
def sample(
    bundle: LanguageModel,
    prompts: Sequence[Sequence[int]],
    n: int,
    sampling: Sampling,
    keys: Sequence[int] | None = None,
) -> list[list[Sample]]:
    """`n` samples for each prompt's tokens, in the order given.

    keys: what a prompt's random numbers are drawn from; by default its index.
    """
    names = list(keys) if keys is not None else list(range(len(prompts)))
    asked = [
        [Row(prompt, np.random.default_rng([sampling.seed, name, k])) for k in range(n)]
        for prompt, name in zip(prompts, names, strict=True)
    ]
    waiting = deque(sorted(asked, key=lambda own: own[0].length))  # so that little is padding
    kind = SlotRows if takes_slots(bundle) else GroupRows
    rules = _Rules.of(bundle, sampling)
    with progress_bar("sampling", len(prompts) * n) as advance:
        rows: Rows = kind(bundle, waiting, min(sampling.batch_size, len(prompts) * n))
        rows.join()
        while rows.rows:
            _choose_all(bundle, rows, rules)
            staying = [i for i, row in enumerate(rows.rows) if not rules.ended(row)]
            advance(len(rows.rows) - len(staying))
            rows.advance(staying)
            rows.join()
    return [[Sample(row.tokens, row.logps, row.finished) for row in own] for own in asked]


def _choose_all(bundle: LanguageModel, rows: Rows, rules: _Rules) -> None:
    """Append a token to every row."""
    logits_RV = head_logits(bundle.model, rows.states_RD)
    noise = [row.random.random() for row in rows.rows]
    noise_R = torch.tensor(noise, dtype=torch.float64, device=logits_RV.device)
    changed_RV = rules.changed(logits_RV, rows.rows)
    chosen_R, logp_R = choose(logits_RV, noise_R, rules.sampling, changed_RV)
    for row, token, logp in zip(rows.rows, chosen_R.tolist(), logp_R.tolist(), strict=True):
        if not math.isfinite(logp):
            raise NumericalError(f"the model gave token {token} a log-probability of {logp}")
        row.tokens.append(token)
        row.logps.append(logp)


@dataclass(frozen=True)
class _Rules:
    """When a row ends, and which tokens it may not take."""

    bundle: LanguageModel
    sampling: Sampling
    never: list[int]  # tokens that no row takes
    not_first: list[int]  # tokens that no row begins with

    @staticmethod
    def of(bundle: LanguageModel, sampling: Sampling) -> _Rules:
        """What the options ask for, and what the model's generation_config adds to it."""
        stated = getattr(bundle.model, "generation_config", None)
        never = {*sampling.suppress_tokens, *(getattr(stated, "suppress_tokens", None) or ())}
        not_first = getattr(stated, "begin_suppress_tokens", None) or ()
        vocabulary = bundle.model.config.get_text_config().vocab_size
        if wrong := [token for token in never if not 0 <= token < vocabulary]:
            raise SettingsError(
                f"suppress_tokens names {wrong[0]}, and the tokens of {bundle.name} are 0 to "
                f"{vocabulary - 1}; take it out."
            )
        return _Rules(bundle, sampling, sorted(never), list(not_first))

    def changed(self, logits_RV: Tensor, rows: Sequence[Row]) -> Tensor | None:
        """The logits after penalty and suppression, or None where nothing changes them."""
        changed_RV = logits_RV
        if self.sampling.repetition_penalty != 1:
            seen_RL = _padded([[*row.prompt, *row.tokens] for row in rows], logits_RV.device)
            changed_RV = penalised(changed_RV, seen_RL, self.sampling.repetition_penalty)
        everywhere = list(range(len(rows)))
        young = [i for i in everywhere if len(rows[i].tokens) < self.sampling.min_new_tokens]
        first = [i for i in everywhere if not rows[i].tokens]
        for places, tokens in (
            (young, self.bundle.end_ids),
            (everywhere, self.never),
            (first, self.not_first),
        ):
            if places and tokens:
                changed_RV = without(changed_RV, places, tokens)
        return None if changed_RV is logits_RV else changed_RV

    def ended(self, row: Row) -> bool:
        row.finished = row.tokens[-1] in self.bundle.end_ids or self._stopped(row)
        return row.finished or len(row.tokens) == self.sampling.max_new_tokens

    def _stopped(self, row: Row) -> bool:
        """Whether a stop string is in the text of the last tokens, each at least a byte long."""
        if not self.sampling.stop:
            return False
        longest = max(len(stop.encode()) for stop in self.sampling.stop)
        text = str(self.bundle.tokenizer.decode(row.tokens[-longest - 8 :]))
        return any(stop in text for stop in self.sampling.stop)


def _padded(seen: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """(R, L): each row's tokens, repeated by its first where it is shorter."""
    length = max(len(tokens) for tokens in seen)
    return torch.tensor([[*t, *[t[0]] * (length - len(t))] for t in seen], device=device)
