"""What a reward's name stands for: a model, one of its outputs, and who reads the text for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOREIGN = "hf:"


@dataclass(frozen=True)
class RewardName:
    """`MODEL`, `MODEL#OUTPUT`, or either after `hf:`.

    output: one of the model's outputs, by name or number; empty where none was named.
    foreign: whether it is any sequence classifier, which reads text with a tokenizer of its own,
        and not a reward model that Suffrage trained.
    """

    model: str
    output: str = ""
    foreign: bool = False


def reward_name(name: str | Path) -> RewardName:
    """The parts of a name; `#` in the path of a folder that is there belongs to the path."""
    given = str(name)
    bare = given.removeprefix(FOREIGN)
    if Path(bare).exists():
        return RewardName(bare, foreign=bare != given)
    model, _, output = bare.partition("#")
    return RewardName(model, output, bare != given)
