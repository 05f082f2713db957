"""`suffrage demo`: the whole loop on the embedded world, from a base model to a report.

A list of stages, top to bottom. Each leaves files under the output folder and is passed over when
they are there, so an interrupted demo carries on and a second run has nothing to do. Between stages
only files travel, as between the commands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import suffrage
from suffrage.core.errors import RunError
from suffrage.core.files import append_jsonl, read_json, read_jsonl, write_json, write_jsonl
from suffrage.core.records import Group, Prompt
from suffrage.core.results import (
    ComparisonResult,
    Estimate,
    RatersResult,
    RewardResult,
    StanceResult,
    SummaryResult,
    read_result,
    write_result,
)
from suffrage.data.preferences import consensus
from suffrage.data.read import read_groups, read_prompts, write_groups
from suffrage.evaluate.rewards import reward_quality
from suffrage.evaluate.side_by_side import side_by_side
from suffrage.evaluate.stance import stance_shares
from suffrage.label.simulate import simulate_rankings, write_population
from suffrage.models.generate import generate
from suffrage.models.language_model import load, pick_device
from suffrage.models.sample import Sampling
from suffrage.models.scalar_head import load_reward, score_trees
from suffrage.report import build_report
from suffrage.stats.raters import raters_result
from suffrage.train.ppo import train_ppo
from suffrage.train.run import train_offline
from suffrage.train.settings import make_settings
from suffrage.worlds.adaptation import World, load_world
from suffrage.worlds.adaptation.raters import panel, rater_utility
from suffrage.worlds.base_model import BaseModelSettings, base_model

Lang = Literal["zh", "en"]

DEMONSTRATIONS = 1024
RATED_PROMPTS = 256
COMPLETIONS = 4
RATERS_PER_PROMPT = 5
PPO_PROMPTS = 512
HELDOUT_PROMPTS = 40
SAMPLES = 20  # answers a test prompt
NEW_TOKENS = 80
TEMPERATURE = 0.7  # of the answers compared
VARIED = 0.9  # of the answers voted on, which should differ
MODELS = {"SFT": "sft", "PPO": "ppo", "DPO": "dpo"}


@dataclass(frozen=True)
class Stage:
    """One step: what it leaves, and how it is made; `build` returns the one figure that matters."""

    name: str
    what: str
    output: str  # the file that says the stage is done
    build: Callable[[Demo], str]


@dataclass(frozen=True)
class Demo:
    """Where a demo lies and what it is of."""

    out: Path
    lang: Lang
    seed: int

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


def make_world(demo: Demo) -> str:
    world = demo.world
    world.write_files(demo.out)
    write_groups(demo.path("demonstrations.jsonl"), world.demonstrations(DEMONSTRATIONS, demo.seed))
    prompts = world.prompts(PPO_PROMPTS, demo.seed)
    write_jsonl(demo.path("prompts.jsonl"), ({"id": p.id, "prompt": p.text} for p in prompts))
    write_population(demo.path("raters.population.json"), panel())
    return f"{len(prompts)} questions, {len(panel())} simulated raters"


def make_base(demo: Demo) -> str:
    path, cached = base_model(BaseModelSettings(demo.lang))
    write_json(demo.path("base.json"), {"path": str(path)})
    return f"{load(path).parameters / 1e6:.2f} M parameters{', cached' if cached else ''}"


def make_sft(demo: Demo) -> str:
    metrics = demo.train("sft", "demonstrations.jsonl", model=demo.base, batch_size=16)
    return f"loss {metrics['loss']:.3f}"


def make_completions(demo: Demo) -> str:
    prompts, _ = read_prompts(demo.path("prompts.jsonl"), data_size=RATED_PROMPTS)
    groups = answers(demo, "sft", prompts, COMPLETIONS, demo.seed, VARIED)
    write_groups(demo.path("completions.jsonl"), groups)
    return f"{COMPLETIONS} answers to each of {len(prompts)} questions"


def make_votes(demo: Demo) -> str:
    groups, _ = read_groups(demo.path("completions.jsonl"))
    votes = simulate_rankings(
        groups, panel(), rater_utility(demo.world), RATERS_PER_PROMPT, demo.seed
    )
    of_prompt: dict[str, list[Any]] = {}
    for vote in votes:
        of_prompt.setdefault(vote.prompt_id, []).append(vote)
    judged = [
        group.model_copy(update={"judgments": tuple(of_prompt[group.prompt.id])})
        for group in groups
    ]
    write_groups(demo.path("feedback.jsonl"), judged)
    return f"{len(votes)} rankings by {len(panel())} raters, blind, in shuffled orders"


def make_agreement(demo: Demo) -> str:
    groups, _ = read_groups(demo.path("feedback.jsonl"))
    result = raters_result([vote for g in groups for vote in g.judgments], seed=demo.seed)
    write_groups(demo.path("preferences.jsonl"), [consensus(group) for group in groups])
    write_result(demo.path("raters.json"), result)
    odd = ", ".join(f"{row.rater} ({row.odd})" for row in result.raters if row.odd)
    return f"alpha {span(result.alpha)}; odd: {odd or 'nobody'}"


def make_reward(demo: Demo) -> str:
    demo.train("reward", "preferences.jsonl", model=str(demo.path("sft")), epochs=2, batch_size=16)
    prompts = demo.world.heldout_prompts(HELDOUT_PROMPTS, demo.seed)
    groups = answers(demo, "sft", prompts, COMPLETIONS, demo.seed + 1, VARIED)
    result = judge_reward(demo, groups)
    write_result(demo.path("reward.json"), result)
    return f"held-out accuracy {span(result.accuracy)}"


def judge_reward(demo: Demo, groups: list[Group]) -> RewardResult:
    """The reward model against the raters' true utility, on questions nobody voted on."""
    scalar = load_reward(demo.path("reward"), pick_device())
    encoder = scalar.base.encoder("cut")
    pairs = []
    for group in groups:
        tree = encoder.tree(group)
        scores = score_trees(scalar, [tree]).tolist() if tree else []
        worth = [demo.world.utility(group.prompt.text, c.text) for c in group.completions]
        for i in range(len(scores)):
            for j in range(i):
                if worth[i] != worth[j]:
                    outcome = float(worth[i] > worth[j])
                    pairs.append((group.prompt.id, scores[i] - scores[j], outcome))
    return reward_quality("reward", "the raters' true utility", pairs, demo.seed)


def make_ppo(demo: Demo) -> str:
    settings = make_settings(
        method="ppo",
        model=str(demo.path("sft")),
        data=str(demo.path("prompts.jsonl")),
        seed=demo.seed,
        batch_size=64,
        epochs=1.5,
        options={"max_new_tokens": NEW_TOKENS},
    )
    finished = train_ppo(settings, str(demo.path("reward")), demo.path("ppo"))
    first = read_jsonl(demo.path("ppo") / "metrics.jsonl")[0]
    last = finished.metrics
    return f"reward {first['reward']:.2f} -> {last['reward']:.2f}, KL {last['kl']:.1f} nats"


def make_dpo(demo: Demo) -> str:
    metrics = demo.train(
        "dpo",
        "preferences.jsonl",
        model=str(demo.path("sft")),
        lr=1e-3,
        batch_size=16,
        epochs=2,
        options={"beta": 0.3},
    )
    return f"accuracy on the votes {metrics['accuracy']:.2f}, margin {metrics['margin']:.2f}"


def make_comparison(demo: Demo) -> str:
    prompts, _ = read_prompts(demo.path("test_prompt.json"))
    names = {"base": demo.base, **MODELS}
    groups = {
        name: answers(demo, where, prompts, SAMPLES, demo.seed, TEMPERATURE)
        for name, where in names.items()
    }
    stance = measure_stance(demo.world, groups, demo.seed)
    texts = {name: [g.completions[0].text for g in own] for name, own in groups.items()}
    stances = {name: [demo.world.stance(t) for t in own] for name, own in texts.items()}
    write_result(demo.path("comparison.json"), side_by_side(prompts, texts, stances))
    write_result(demo.path("stance.json"), stance)
    return "supporting answers " + ", ".join(
        f"{row.model} {row.shares['support'].value:.0%}" for row in stance.models
    )


def measure_stance(world: World, groups: dict[str, list[Group]], seed: int) -> StanceResult:
    """Which sides each model's answers take, and how many are well formed."""
    rows = [
        stance_shares(
            name,
            [[world.stance(c.text) for c in g.completions] for g in own],
            [[world.parse(g.prompt.text, c.text) is not None for c in g.completions] for g in own],
            seed,
        )
        for name, own in groups.items()
    ]
    return StanceResult(question=world.about, models=tuple(rows))


def make_report(demo: Demo) -> str:
    write_result(demo.path("summary.json"), _summary(demo))
    build_report([demo.out], demo.path("report.html"), lang=demo.lang)
    return str(demo.path("report.html"))


STAGES = (
    Stage("world", "write the questions and the raters", "raters.population.json", make_world),
    Stage("base", "train the base model on the world's text", "base.json", make_base),
    Stage("sft", "fine-tune on demonstrations", "sft/done.json", make_sft),
    Stage("complete", "sample answers to vote on", "completions.jsonl", make_completions),
    Stage("vote", "simulated raters rank the answers", "feedback.jsonl", make_votes),
    Stage("agree", "measure agreement, find odd raters", "raters.json", make_agreement),
    Stage("reward", "learn a reward from the votes", "reward.json", make_reward),
    Stage("ppo", "improve against the reward (RLHF)", "ppo/done.json", make_ppo),
    Stage("dpo", "learn straight from the votes", "dpo/done.json", make_dpo),
    Stage("compare", "ask held-out questions before and after", "stance.json", make_comparison),
    Stage("report", "write the page", "report.html", make_report),
)


def answers(
    demo: Demo, model: str, prompts: list[Prompt], n: int, seed: int, temperature: float
) -> list[Group]:
    """`n` answers to each prompt by a run of this demo, or by the model of that name."""
    inside = demo.path(model)
    bundle = load(inside if inside.exists() else model)
    sampling = Sampling(NEW_TOKENS, temperature, seed=seed, batch_size=256)
    return generate(bundle, prompts, n, sampling, name=model)


def run_demo(out: Path, lang: Lang, seed: int) -> Iterator[dict[str, Any]]:
    """Run every stage that is still to do; yields a row a stage as it ends.

    Raises `RunError` when the folder holds something else: nothing is overwritten.
    """
    _claim(out, {"suffrage": suffrage.__version__, "lang": lang, "seed": seed})
    demo = Demo(out, lang, seed)
    before = {row["name"]: row for row in _ledger(out)}
    for stage in STAGES:
        if stage.name in before and demo.path(stage.output).exists():
            yield {**before[stage.name], "reused": True}
            continue
        started = time.monotonic()
        figure = stage.build(demo)
        seconds = round(time.monotonic() - started, 2)
        row = {"name": stage.name, "what": stage.what, "seconds": seconds, "figure": figure}
        append_jsonl(out / "stages.jsonl", row)
        yield {**row, "reused": False}


def _claim(out: Path, settings: dict[str, Any]) -> None:
    file = out / "demo.json"
    if not file.exists():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise RunError(f"{out} exists and holds no demo; choose another --out.")
        write_json(file, settings)
    found = read_json(file)
    if found != settings:
        raise RunError(f"{out} holds another demo ({found}, not {settings}); choose another --out.")


def _ledger(out: Path) -> list[dict[str, Any]]:
    file = out / "stages.jsonl"
    return read_jsonl(file) if file.exists() else []


def _summary(demo: Demo) -> SummaryResult:
    titles = {"zh": "人們的選票如何改變一個語言模型", "en": "How votes changed a language model"}
    settings = {"lang": demo.lang, "seed": demo.seed, "raters": len(panel())}
    return SummaryResult(
        title=titles[demo.lang],
        question=demo.world.about,
        stages=tuple(_ledger(demo.out)),
        settings=settings,
    )


def before_and_after(out: Path, count: int = 3) -> ComparisonResult:
    """The first few held-out questions with every model's answer."""
    result = read_result(out / "comparison.json")
    assert isinstance(result, ComparisonResult)
    return ComparisonResult(rows=result.rows[:count])


def figures(out: Path) -> dict[str, Any]:
    """Everything the demo measured, for programs."""
    stance, raters, reward = (
        read_result(out / f"{name}.json") for name in ("stance", "raters", "reward")
    )
    assert isinstance(stance, StanceResult)
    assert isinstance(raters, RatersResult)
    assert isinstance(reward, RewardResult)
    return {
        "support": {m.model: m.shares["support"].to_json() for m in stance.models},
        "well_formed": {m.model: m.well_formed.to_json() for m in stance.models if m.well_formed},
        "alpha": raters.alpha.to_json(),
        "odd": {row.rater: row.odd for row in raters.raters if row.odd},
        "reward_accuracy": reward.accuracy.to_json(),
        "report": str(out / "report.html"),
    }


def span(estimate: Estimate) -> str:
    """A figure with its interval, for one line."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return estimate.note or "undefined"
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
