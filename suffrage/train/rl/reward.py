"""The reward that a policy is trained against, whoever made it: a function of texts.

A reward model of Suffrage, any Hugging Face classifier, a language model as judge, or any Python
function by its name. What comes back is checked here: whatever is no finite number is nan.
"""

from __future__ import annotations

import importlib
import math
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from suffrage.core.errors import SettingsError
from suffrage.core.progress import say
from suffrage.core.records import Completion, Group, Prompt
from suffrage.models.classifier import load_classifier
from suffrage.models.folder import resolve
from suffrage.models.judge import load_judge
from suffrage.models.judge_words import judge_name
from suffrage.models.reward_name import reward_name
from suffrage.models.scalar_head import ScalarModel, load_reward, score_trees

# (B,) rewards on the CPU: those of the first prompt's texts first
RewardFunction = Callable[[Sequence[Prompt], Sequence[Sequence[str]]], Tensor]
LONGEST = 300  # characters of an error that are shown
UserFunction = Callable[[list[str], list[str]], Sequence[float]]


@dataclass(frozen=True)
class Reward:
    """score: the reward of texts. model: what a critic can start from, if there is such a thing."""

    score: RewardFunction
    model: ScalarModel | None = None


def find_reward(name: str, device: torch.device, ratings: Path | None = None) -> Reward:
    """A reward by its name: `RUN`, `hf:MODEL#LABEL`, `judge:MODEL` or `module:function`.

    ratings: the file in which what a judge on a server said is kept.
    """
    if judge := judge_name(name):
        return Reward(load_judge(judge, device, ratings).scores)
    parts = reward_name(name)
    if parts.foreign:
        return Reward(load_classifier(parts, device).scores)
    if _is_function(name):
        return Reward(of_function(find_function(name)))
    scalar = load_reward(name, device)
    return Reward(reward_model(scalar), scalar)


def places_of(name: str) -> list[str]:
    """Where a reward comes from: folders, names on the hub, a server, the file of a function."""
    if judge := judge_name(name):
        return judge.places
    parts = reward_name(name)
    if _is_function(name):
        find_function(name)
        return [getattr(sys.modules[name.partition(":")[0]], "__file__", None) or name]
    return [resolve(parts.model)]


def short_name(name: str) -> str:
    """How a reward is called in the figures."""
    if judge := judge_name(name):
        return judge.short
    return name.rstrip("/").rsplit("/", 1)[-1] or name


def _is_function(name: str) -> bool:
    parts = reward_name(name)
    return ":" in parts.model and not parts.foreign and not Path(parts.model).exists()


def reward_model(scalar: ScalarModel) -> RewardFunction:
    """A trained reward model as a function of texts; the policy's tokenizer may be another."""
    encoder = scalar.base.encoder(overlong="cut")

    def reward(prompts: Sequence[Prompt], texts: Sequence[Sequence[str]]) -> Tensor:
        groups = [as_group(prompt, own) for prompt, own in zip(prompts, texts, strict=True)]
        trees = [tree for group in groups if (tree := encoder.tree(group)) is not None]
        return score_trees(scalar, trees)

    return reward


def as_group(prompt: Prompt, texts: Sequence[str]) -> Group:
    """A prompt with bare texts as its completions."""
    completions = tuple(
        Completion(id=str(i), prompt_id=prompt.id, text=text) for i, text in enumerate(texts)
    )
    return Group(prompt=prompt, completions=completions)


def find_function(name: str) -> UserFunction:
    """`module:function`, the module also looked for in the current folder."""
    module, _, attribute = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"--reward {name}: there is no module {error.name!r}; give a run, hf:MODEL#LABEL, "
            "judge:MODEL, or module:function of a file in this folder."
        ) from None
    except AttributeError:
        raise SettingsError(
            f"--reward {name}: {module} has no {attribute!r}; name one of its functions."
        ) from None
    except Exception as error:  # it is the user's code
        raise SettingsError(
            f"--reward {name}: {module} cannot be imported ({error!r}); mend it."
        ) from error
    if not callable(found):
        raise SettingsError(f"--reward {name}: it is no function; name one.")
    function: UserFunction = found
    return function


def of_function(function: UserFunction) -> RewardFunction:
    """Anyone's `(prompts, completions) -> scores`, given a prompt for every completion.

    Where it fails on the whole batch, it is asked about each completion alone; nan where it fails.
    What it failed by is said once.
    """
    asked = _Asked(function)

    def reward(prompts: Sequence[Prompt], texts: Sequence[Sequence[str]]) -> Tensor:
        pairs = [(p.text, t) for p, own in zip(prompts, texts, strict=True) for t in own]
        scores = asked(pairs) or [(asked([pair]) or [math.nan])[0] for pair in pairs]
        return torch.tensor(scores)

    return reward


@dataclass
class _Asked:
    """A user's function, and what it has failed by so far."""

    function: UserFunction
    told: set[str] = field(default_factory=set)

    def __call__(self, pairs: list[tuple[str, str]]) -> list[float] | None:
        """The scores as numbers, nan for what is none; None if it failed or counts otherwise."""
        try:
            found = list(self.function([p for p, _ in pairs], [text for _, text in pairs]))
        except Exception as error:  # it is the user's code: one bad text must not end the run
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}, line {place.lineno}"
            self._tell(where, f"the reward function failed ({where}): {error!r}"[:LONGEST])
            return None
        if len(found) != len(pairs):
            self._tell("", f"the reward function gave {len(found)} numbers for {len(pairs)} pairs")
            return None
        return [_number(score) for score in found]

    def _tell(self, what: str, sentence: str) -> None:
        if what not in self.told:
            say(sentence)
        self.told.add(what)


def _number(score: Any) -> float:
    try:
        return float(score)
    except (TypeError, ValueError):
        return math.nan
