"""The demo's stages, top to bottom; between them only files travel, as between the commands."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from suffrage.core.files import read_jsonl, write_json, write_jsonl
from suffrage.core.results import write_result
from suffrage.data.preferences import consensus
from suffrage.data.read import read_groups, read_prompts, write_groups
from suffrage.demo.measure import judge_reward, measure_stance
from suffrage.demo.setting import MODELS, NEW_TOKENS, TEMPERATURE, VARIED, Demo, answers
from suffrage.demo.words import Values
from suffrage.evaluate.side_by_side import side_by_side
from suffrage.label.simulate import simulate_rankings, write_population
from suffrage.label.store.contents import TaskPlan, add_groups, add_tasks
from suffrage.label.store.contents import groups as store_groups
from suffrage.label.store.database import open_store
from suffrage.label.store.recording import record
from suffrage.models.language_model import load
from suffrage.report import build_report
from suffrage.report.figures.curves import trend
from suffrage.stats.raters import raters_result
from suffrage.train.rl.run import train_online
from suffrage.train.settings import make_settings
from suffrage.worlds.adaptation.raters import panel, rater_utility
from suffrage.worlds.base_model import BaseModelSettings, base_model


@dataclass(frozen=True)
class Stage:
    """One step: what it leaves, and how it is made.

    `build` returns the values of the one figure that matters, which `suffrage.demo.words` puts
    into words, as it does what the stage is for.
    """

    name: str
    output: str  # the file that says the stage is done
    build: Callable[[Demo], Values]


def make_world(demo: Demo) -> Values:
    world = demo.world
    world.write_files(demo.out)
    write_groups(
        demo.path("demonstrations.jsonl"),
        world.demonstrations(demo.sizes.demonstrations, demo.seed),
    )
    prompts = world.prompts(demo.sizes.ppo_prompts, demo.seed)
    write_jsonl(demo.path("prompts.jsonl"), ({"id": p.id, "prompt": p.text} for p in prompts))
    write_population(demo.path("raters.population.json"), panel())
    return {"questions": len(prompts), "raters": len(panel())}


def make_base(demo: Demo) -> Values:
    path, cached = base_model(BaseModelSettings(demo.lang, documents=demo.sizes.documents))
    write_json(demo.path("base.json"), {"path": str(path)})
    return {"millions": load(path).parameters / 1e6, "cached": "cached" if cached else ""}


def make_sft(demo: Demo) -> Values:
    demo.train("sft", "demonstrations.jsonl", model=demo.base, batch_size=16, epochs=1)
    steps = read_jsonl(demo.path("sft") / "metrics.jsonl")
    smoothed = trend([(row["step"], row["loss"]) for row in steps])  # the report's figure
    return {"loss": smoothed[-1][1]}


def make_completions(demo: Demo) -> Values:
    prompts, _ = read_prompts(demo.path("prompts.jsonl"), data_size=demo.sizes.rated_prompts)
    groups = answers(demo, "sft", prompts, demo.sizes.completions, demo.seed, VARIED)
    write_groups(demo.path("completions.jsonl"), groups)
    return {"answers": demo.sizes.completions, "questions": len(prompts)}


def make_votes(demo: Demo) -> Values:
    groups, _ = read_groups(demo.path("completions.jsonl"))
    votes = simulate_rankings(
        groups, panel(), rater_utility(demo.world), demo.sizes.raters_per_prompt, demo.seed
    )
    with closing(open_store(demo.path("label.db"))) as store:  # as people's votes are kept
        add_groups(store, groups)
        add_tasks(store, TaskPlan(kind="ranking", overlap=demo.sizes.raters_per_prompt))
        record(store, votes)
        write_groups(demo.path("feedback.jsonl"), store_groups(store))
    return {"rankings": len(votes), "raters": len(panel())}


def make_agreement(demo: Demo) -> Values:
    groups, _ = read_groups(demo.path("feedback.jsonl"))
    result = raters_result([vote for g in groups for vote in g.judgments], seed=demo.seed)
    write_groups(demo.path("preferences.jsonl"), [consensus(group) for group in groups])
    write_result(demo.path("raters.json"), result)
    odd: dict[str, str] = {row.rater: row.odd for row in result.raters if row.odd}
    return {"alpha": result.alpha, "odd": odd}


def make_reward(demo: Demo) -> Values:
    demo.train("reward", "preferences.jsonl", model=str(demo.path("sft")), epochs=2, batch_size=16)
    prompts = demo.world.heldout_prompts(demo.sizes.heldout_prompts, demo.seed)
    groups = answers(demo, "sft", prompts, demo.sizes.completions, demo.seed + 1, VARIED)
    result = judge_reward(demo, groups)
    write_result(demo.path("reward.json"), result)
    return {"accuracy": result.accuracy}


def make_ppo(demo: Demo) -> Values:
    settings = make_settings(
        method="ppo",
        model=str(demo.path("sft")),
        data=str(demo.path("prompts.jsonl")),
        seed=demo.seed,
        batch_size=64,
        epochs=1.5,
        options={"max_new_tokens": NEW_TOKENS},
    )
    finished = train_online(settings, str(demo.path("reward")), demo.path("ppo"))
    first = read_jsonl(demo.path("ppo") / "metrics.jsonl")[0]
    last = finished.metrics
    return {"first": first["reward"], "last": last["reward"], "kl": last["kl"]}


def make_dpo(demo: Demo) -> Values:
    metrics = demo.train(
        "dpo",
        "preferences.jsonl",
        model=str(demo.path("sft")),
        batch_size=16,
        epochs=1.5,
        options={"beta": 0.3, "nll": 1.0},
    )
    return {"accuracy": metrics["accuracy"], "margin": metrics["margin"]}


def make_comparison(demo: Demo) -> Values:
    prompts, _ = read_prompts(demo.path("test_prompt.json"))
    groups = {
        name: answers(demo, where, prompts, demo.sizes.samples, demo.seed, TEMPERATURE)
        for name, where in MODELS.items()
    }
    stance = measure_stance(demo.world, groups, demo.seed)
    texts = {name: [g.completions[0].text for g in own] for name, own in groups.items()}
    stances = {name: [demo.world.stance(t) for t in own] for name, own in texts.items()}
    write_result(demo.path("comparison.json"), side_by_side(prompts, texts, stances))
    write_result(demo.path("stance.json"), stance)
    return {"support": {row.model: row.shares["support"].value or 0.0 for row in stance.models}}


def make_report(demo: Demo) -> Values:
    write_result(demo.path("summary.json"), demo.summary())
    build_report([demo.out], demo.path("report.html"), lang=demo.lang)
    return {"page": str(demo.path("report.html"))}


STAGES = (
    Stage("world", "raters.population.json", make_world),
    Stage("base", "base.json", make_base),
    Stage("sft", "sft/done.json", make_sft),
    Stage("complete", "completions.jsonl", make_completions),
    Stage("vote", "feedback.jsonl", make_votes),
    Stage("agree", "raters.json", make_agreement),
    Stage("reward", "reward.json", make_reward),
    Stage("ppo", "ppo/done.json", make_ppo),
    Stage("dpo", "dpo/done.json", make_dpo),
    Stage("compare", "stance.json", make_comparison),
    Stage("report", "report.html", make_report),
)
