"""The options of sampling, checked; what is off by default costs nothing.

Their meaning and the order they apply in are those of `transformers.GenerationConfig`: repetition
penalty, shortest length, suppressed tokens, temperature, top-k, top-p, min-p.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from suffrage.core.errors import SettingsError


@dataclass(frozen=True)
class Sampling:
    """How to sample; `temperature` 0 is greedy."""

    max_new_tokens: int = 128
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    batch_size: int = 64  # rows decoded together
    min_p: float = 0.0  # of the likeliest token's probability, which others must reach
    repetition_penalty: float = 1.0  # divides what speaks for a token that is there already
    min_new_tokens: int = 0  # before which no end token comes
    stop: tuple[str, ...] = ()  # strings that end an answer and are no part of it
    suppress_tokens: tuple[int, ...] = ()  # never sampled

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf or not 0 < self.top_p <= 1:
            raise SettingsError(
                f"temperature {self.temperature} and top_p {self.top_p}: the first must be at "
                "least 0, the second above 0 and at most 1."
            )
        if self.max_new_tokens < 1 or self.top_k < 0:
            raise SettingsError("ask for at least 1 new token, and a top_k of at least 0.")
        if not 0 <= self.min_p <= 1 or not 0 < self.repetition_penalty < math.inf:
            raise SettingsError(
                f"min_p {self.min_p} and repetition_penalty {self.repetition_penalty}: the first "
                "must be at least 0 and at most 1, the second above 0; 1 is no penalty."
            )
        if not 0 <= self.min_new_tokens <= self.max_new_tokens:
            raise SettingsError(
                f"min_new_tokens {self.min_new_tokens} must be at least 0 and at most "
                f"max_new_tokens, which is {self.max_new_tokens}; ask for fewer or allow more."
            )
        if "" in self.stop:
            raise SettingsError("a stop string must have at least one character; take '' out.")
