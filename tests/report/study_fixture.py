"""A whole study written by hand: what `suffrage demo` would leave, in English or Chinese.

The numbers are made up but plausible; each file has exactly the form the real stages write.
"""

from __future__ import annotations

import math
import random
from pathlib import Path

from suffrage.core.files import write_json, write_jsonl
from suffrage.core.records import Completion, Group, Judgment, Preference, Prompt, SoftPair
from suffrage.core.results import (
    Answer,
    CalibrationBin,
    Choice,
    Comparison,
    ComparisonResult,
    Estimate,
    ModelStance,
    RankedItem,
    Ranking,
    RankingResult,
    RatersResult,
    RaterSummary,
    RewardResult,
    StanceResult,
    SummaryResult,
    write_result,
)

WORDS = {
    "en": {
        "title": "Do votes move a model?",
        "question": "Should more manga be adapted for live action? A small model learns from the "
        "votes of ten raters, and we count the sides its answers take before and after.",
        "about": "More manga and anime should be adapted for live action.",
        "prompts": [
            "Should “The Lighthouse Keepers” get a live-action film?",
            "Can live actors carry the humour of a four-panel comic?",
            "Is a live-action series a good way to bring old manga to new readers?",
        ],
        "support": "Yes. A live cast can give the quiet scenes a weight that drawings only hint "
        "at, and a careful director keeps the pace of the page.",
        "oppose": "No. The drawings exaggerate on purpose; with real faces the jokes become "
        "shouting, and the budget goes into wigs.",
        "balanced": "It depends. The setting would film well, but the humour lives in the drawing, "
        "so much would rest on the script.",
        "stages": ["Base model", "SFT", "Answers", "Votes", "Reward model", "PPO", "DPO"],
        "did": "Trained on 2,000 rows of the world’s corpus",
        "truth": "the simulated raters’ true utility",
        "votes": "the raters’ votes",
        "careless": "Agrees with the others on 51% of 312 pairs, as a coin would.",
        "reversed": "Orders 83% of 305 pairs against the others.",
        "side": "Chose the completion on the left in 88% of 298 pairs.",
    },
    "zh": {
        "title": "投票能改變模型嗎？",
        "question": "漫畫該不該多拍成真人版？小模型從十位評分者的票學習，"
        "我們計算它訓練前後的回答站在哪一邊。",
        "about": "漫畫與動畫應該多改編成真人版。",
        "prompts": [
            "《守燈人》該拍成真人電影嗎？",
            "真人演員撐得起四格漫畫的幽默嗎？",
            "用真人影集把老漫畫帶給新讀者，是好辦法嗎？",
        ],
        "support": "該。真人演員能讓安靜的場面有重量，畫面只能暗示；導演細心，就能守住原作的節奏。",
        "oppose": "不該。漫畫的誇張是刻意的，換成真人的臉，笑話就成了叫喊，預算全花在假髮上。",
        "balanced": "看情況。場景拍起來會好看，但幽默長在線條裡，成敗要看劇本。",
        "stages": ["基礎模型", "監督微調", "產生回答", "投票", "獎勵模型", "PPO", "DPO"],
        "did": "以世界語料的 2,000 筆訓練",
        "truth": "模擬評分者的真實效用",
        "votes": "評分者的票",
        "careless": "312 對中有 51% 與其他人一致，和擲硬幣一樣。",
        "reversed": "305 對中有 83% 與其他人相反。",
        "side": "298 對中有 88% 選了左邊的回答。",
    },
}
EMPTY = dict.fromkeys(WORDS["en"], "")  # for tests that bring their own texts


def estimate(value: float, half: float, unit: str = "prompts", n: int = 10) -> Estimate:
    return Estimate(
        value=value, low=max(value - half, 0), high=min(value + half, 1), n=n, unit=unit
    )


def write_study(folder: Path, lang: str = "en") -> Path:
    """Fill `folder` with four runs, their results and the votes."""
    words = WORDS[lang]
    write_jsonl(folder / "votes.jsonl", [group.to_json() for group in groups(words)])
    results = folder / "results"
    write_result(results / "summary.json", summary(words))
    write_result(results / "raters.json", raters(words))
    write_result(results / "ranking.json", ranking())
    write_result(results / "reward-truth.json", reward(words["truth"], 0.94))
    write_result(results / "reward-votes.json", reward(words["votes"], 0.81))
    write_result(results / "stance.json", stance(words))
    write_result(results / "answers.json", answers(words))
    for method in ("sft", "reward", "dpo", "ppo"):
        write_run(folder / method, method, lang)
    return folder


def groups(words: dict[str, object]) -> list[Group]:
    sides = ("support", "balanced", "oppose", "support")
    return [
        _group(f"p{number}", str(text), words, sides)
        for number, text in enumerate(words["prompts"])
    ]


def _group(name: str, text: str, words: dict[str, object], sides: tuple[str, ...]) -> Group:
    completions = tuple(
        Completion(id=f"{name}c{place}", prompt_id=name, text=str(words[side]), source="sft")
        for place, side in enumerate(sides)
    )
    ids = tuple(item.id for item in completions)
    rankings = (
        ((ids[0], ids[3]), (ids[1],), (ids[2],)),
        ((ids[0],), (ids[1],), (ids[3],), (ids[2],)),
    )
    judgments = tuple(
        Judgment(
            id=f"{name}j{rater}",
            prompt_id=name,
            rater=f"rater-{rater}",
            kind="ranking",
            value=value,
            completions=ids,
            rater_kind="simulated",
        )
        for rater, value in enumerate(rankings)
    )
    preference = Preference(pairs=(SoftPair(first=0, second=2, probability=0.9),))
    return Group(
        prompt=Prompt(id=name, content=text),
        completions=completions,
        judgments=judgments,
        preference=preference,
    )


def summary(words: dict[str, object]) -> SummaryResult:
    stages = tuple(
        {
            "name": name,
            "what": words["did"],
            "seconds": 3.2 + 17.5 * place,
            "figure": f"loss {2.5 / (place + 1):.2f}",
            "reused": place == 0,
        }
        for place, name in enumerate(words["stages"])
    )
    return SummaryResult(
        title=str(words["title"]),
        question=str(words["question"]),
        stages=stages,
        settings={"lang": "zh", "seed": 7, "raters": 10, "completions": 4, "world": {"rows": 50}},
    )


def raters(words: dict[str, object]) -> RatersResult:
    odd = {"fern": "careless", "hazel": "reversed", "juniper": "side"}
    shares = {
        "alder": 0.91, "birch": 0.89, "cedar": 0.93, "dogwood": 0.86, "elm": 0.88,
        "fern": 0.51, "gorse": 0.90, "hazel": 0.17, "ivy": 0.84, "juniper": 0.58,
    }  # fmt: skip
    people = tuple(
        RaterSummary(
            rater=name,
            judgments=52,
            reliability=estimate(share, 0.05, "pairs", 312),
            first_shown=estimate(0.88 if name == "juniper" else 0.5, 0.05, "pairs", 312),
            odd=odd.get(name, ""),
            evidence=str(words[odd[name]]) if name in odd else "",
        )
        for name, share in shares.items()
    )
    return RatersResult(
        alpha=Estimate(value=0.58, low=0.52, high=0.64, n=52, unit="prompts"),
        alpha_level="ordinal",
        pair_agreement=estimate(0.74, 0.03, "pairs", 3120),
        prompts=52,
        judgments=520,
        raters=people,
        coefficients={
            "kendall_tau": Estimate(value=0.61, low=0.55, high=0.67, n=52, unit="prompts"),
            "kendall_w": Estimate(value=0.72, low=0.66, high=0.77, n=52, unit="prompts"),
        },
    )


def ranking() -> RankingResult:
    """Two groups who like different models, and the third as everybody's second best."""
    boards = {
        "arts": (("dpo", 0.84, 0.67), ("ppo", 0.21, 0.55), ("sft", -1.05, 0.28)),
        "law": (("sft", 0.62, 0.64), ("ppo", 0.33, 0.57), ("dpo", -0.95, 0.29)),
    }
    return RankingResult(
        by="faculty",
        rankings=tuple(_leaderboard(group, rows) for group, rows in boards.items()),
        choices=(
            Choice(rule="mean", item="dpo", share=0.58, worth={"arts": 0.73, "law": 0.24}),
            Choice(rule="maxmin", item="ppo", share=0.91, worth={"arts": 0.51, "law": 0.52}),
        ),
        mixture={"ppo": 0.75, "dpo": 0.25},
        mixture_worth=0.53,
    )


def _leaderboard(group: str, rows: tuple[tuple[str, float, float], ...]) -> Ranking:
    return Ranking(
        group=group,
        method="bradley-terry",
        comparisons=1240,
        prompts=10,
        raters=12,
        items=tuple(
            RankedItem(
                item=item,
                place=place,
                places=(place, min(place + 1, len(rows))),
                score=Estimate(value=score, low=score - 0.3, high=score + 0.3, n=10),
                win_rate=estimate(rate, 0.06),
                comparisons=820,
            )
            for place, (item, score, rate) in enumerate(rows, start=1)
        ),
        first_shown=estimate(0.53, 0.02),
    )


def reward(against: object, accuracy: float) -> RewardResult:
    bins = tuple(
        CalibrationBin(
            predicted=p, observed=estimate(p + 0.06 * math.sin(9 * p), 0.09, "pairs", 60)
        )
        for p in (0.1, 0.3, 0.5, 0.7, 0.9)
    )
    return RewardResult(
        model="runs/reward",
        against=str(against),
        accuracy=estimate(accuracy, 0.03, "pairs", 300),
        calibration=bins,
    )


def stance(words: dict[str, object]) -> StanceResult:
    shares = {"sft": (0.48, 0.2, 0.32), "dpo": (0.965, 0.01, 0.025), "ppo": (0.91, 0.05, 0.04)}
    models = tuple(
        ModelStance(
            model=name,
            shares={
                "support": estimate(support, 0.11 if support < 0.9 else 0.04),
                "balanced": estimate(balanced, 0.05),
                "oppose": estimate(oppose, 0.06),
            },
            well_formed=estimate(0.985, 0.01),
            prompts=10,
            samples=20,
        )
        for name, (support, balanced, oppose) in shares.items()
    )
    return StanceResult(question=str(words["about"]), models=models)


def answers(words: dict[str, object]) -> ComparisonResult:
    sides = {"sft": "oppose", "dpo": "support", "ppo": "balanced"}
    return ComparisonResult(
        rows=tuple(
            Comparison(
                prompt=str(prompt),
                answers=tuple(
                    Answer(model=model, text=str(words[side]), stance=side)
                    for model, side in sides.items()
                ),
            )
            for prompt in words["prompts"]
        )
    )


def write_run(folder: Path, method: str, lang: str = "en", *, finished: bool = True) -> Path:
    """A run directory with curves of the right shape for its method."""
    chance = random.Random(method)
    steps = {"sft": 60, "reward": 30, "dpo": 75, "ppo": 400}[method]
    settings = {
        "verb": "train", "method": method, "model": f"~/.cache/suffrage/base-{lang}",
        "data": "votes.jsonl", "seed": 7, "lr": 3e-4, "epochs": 3, "lora": None,
    }  # fmt: skip
    hour = ("sft", "reward", "dpo", "ppo").index(method) + 9
    environment = {
        "python": "3.12.4", "torch": "2.10.0", "transformers": "5.10.1", "cpus": 2,
        "platform": "Linux x86_64", "started": f"2026-03-01T{hour:02d}:30:00+00:00",
        "command": f"suffrage train {method} --model base --data votes.jsonl --out {method}",
    }  # fmt: skip
    write_json(folder / "settings.json", settings)
    write_json(folder / "environment.json", environment)
    rows = [_row(method, step, step / steps, chance) for step in range(1, steps + 1)]
    write_jsonl(folder / "metrics.jsonl", rows)
    if method == "ppo":
        write_jsonl(folder / "samples.jsonl", _samples(lang))
    if finished:
        write_json(folder / "done.json", {"steps": steps, "seconds": 12.5 + steps / 3})
    return folder


def _samples(lang: str) -> list[dict[str, object]]:
    """Two held-out prompts answered at four moments."""
    asked = (
        ("要支持真人版嗎？", "配音呢？") if lang == "zh" else ("A live action?", "And the voices?")
    )
    answer = "我支持，因為選角用心。" if lang == "zh" else "I support it, for the casting is good."
    return [
        {
            "step": step, "prompt_id": f"p{place}", "prompt": prompt,
            "completion": answer * (1 + step // 200), "rewards": {"reward": step / 200 - 1},
        }
        for step in (0, 100, 200, 400)
        for place, prompt in enumerate(asked)
    ]  # fmt: skip


def _row(method: str, step: int, part: float, chance: random.Random) -> dict[str, object]:
    noise = chance.gauss(0, 0.04)
    row: dict[str, object] = {"step": step, "lr": 3e-4 * (1 - part), "seconds": 0.3 * step}
    fall = math.exp(-4 * part)
    if method == "ppo":
        return row | {
            "loss": noise, "reward": 2.4 * (1 - fall) + 4 * noise, "kl": 5 * part + 4 * noise,
            "entropy": 1.6 - 0.9 * part + noise, "length": 31 + 6 * part + 20 * noise,
            "clip_fraction": abs(0.08 + noise), "value_loss": 0.6 * fall + abs(noise),
            "explained_variance": 0.8 * (1 - fall) + noise,
        }  # fmt: skip
    row["loss"] = (2.1 * fall + 0.9 if method == "sft" else 0.693 * fall + 0.02) + abs(noise)
    if step % 10 == 0:
        row["eval/loss"] = float(row["loss"]) * 1.1
    if method in ("reward", "dpo"):
        row |= {"accuracy": min(1 - 0.45 * fall + noise, 1.0), "margin": 3 * part + 5 * noise}
    if method == "reward":
        row["reward"] = noise  # the mean score, which its own training does not aim at
    if method == "dpo":
        row |= {
            "chosen_logp": -1.1 + 0.2 * part + noise,
            "rejected_logp": -1.2 - 0.9 * part + noise,
        }
    return row
