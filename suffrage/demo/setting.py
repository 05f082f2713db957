"""One demo: where it lies, how large it is, and what its stages share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from suffrage.core.files import read_json, read_log
from suffrage.core.records import Group, Prompt
from suffrage.core.results import SummaryResult
from suffrage.demo.words import in_both_languages
from suffrage.models.generate import generate
from suffrage.models.language_model import load
from suffrage.models.sample import Sampling
from suffrage.train.run import train_offline
from suffrage.train.settings import make_settings
from suffrage.worlds.adaptation import World, load_world
from suffrage.worlds.adaptation.raters import panel

Lang = Literal["zh", "en"]
MODELS = {"SFT": "sft", "PPO": "ppo", "DPO": "dpo"}  # the first is the one before
NEW_TOKENS = 80
TEMPERATURE = 0.7  # of the answers compared
VARIED = 0.8  # of the answers voted on, which should differ
TITLES = {
    "zh": "選票如何改變一個語言模型（評分者是模擬的，多半偏好支持的回答）",
    "en": "How votes changed a language model (simulated raters, who favour support)",
}


@dataclass(frozen=True)
class Sizes:
    """How much of everything; the defaults are the demo's, tests use less."""

    documents: int = 21_000  # of the base model's corpus
    demonstrations: int = 2048
    rated_prompts: int = 384
    completions: int = 4  # answers to a rated prompt
    raters_per_prompt: int = 5
    ppo_prompts: int = 384
    heldout_prompts: int = 80
    samples: int = 20  # answers to a test prompt


FULL = Sizes()


@dataclass(frozen=True)
class Demo:
    """Where a demo lies and what it is of."""

    out: Path
    lang: Lang
    seed: int
    sizes: Sizes = FULL

    @property
    def world(self) -> World:
        return load_world(self.lang)

    @property
    def base(self) -> str:
        return str(read_json(self.out / "base.json")["path"])

    def path(self, name: str) -> Path:
        return self.out / name

    def train(self, method: str, data: str, **settings: Any) -> dict[str, float]:
        made = make_settings(method=method, data=str(self.path(data)), seed=self.seed, **settings)
        return train_offline(made, self.path(method)).metrics

    def ledger(self) -> list[dict[str, Any]]:
        """The stages that ended, in order."""
        file = self.path("stages.jsonl")
        rows = read_log(file) if file.exists() else []
        return list({row["name"]: row for row in rows}.values())  # of a stage made twice, the last

    def summary(self) -> SummaryResult:
        return SummaryResult(
            title=TITLES,
            question=self.world.about,
            stages=tuple(in_both_languages(row) for row in self.ledger()),
            settings={"lang": self.lang, "seed": self.seed, "raters": len(panel())},
        )


def answers(
    demo: Demo, model: str, prompts: list[Prompt], n: int, seed: int, temperature: float
) -> list[Group]:
    """`n` answers to each prompt by a run of this demo, or by the model of that name."""
    inside = demo.path(model)
    bundle = load(inside if inside.exists() else model)
    sampling = Sampling(NEW_TOKENS, temperature, seed=seed, batch_size=256)
    return generate(bundle, prompts, n, sampling, name=model)
