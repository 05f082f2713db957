"""What the demo says of its stages, in each language: what one does, and its figure as words.

A stage measures values; here stands how they read. The terminal shows the English, the report the
language of its page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suffrage.core.records import Meta
from suffrage.core.results import Estimate

LANGUAGES = ("en", "zh")
Value = int | float | str | Estimate | Mapping[str, str] | Mapping[str, float]
Values = Mapping[str, Value]


@dataclass(frozen=True)
class StageWords:
    """One stage in one language; `figure` is filled with the stage's values."""

    name: str
    what: str
    figure: str


WORDS = {
    "en": {
        "world": StageWords(
            "world",
            "write the questions and the raters",
            "{questions} questions, {raters} simulated raters",
        ),
        "base": StageWords(
            "base",
            "train the base model on the world's text",
            "{millions:.2f} M parameters{cached}",
        ),
        "sft": StageWords("sft", "fine-tune on demonstrations", "loss {loss:.3f}"),
        "complete": StageWords(
            "complete",
            "sample answers to vote on",
            "{answers} answers to each of {questions} questions",
        ),
        "vote": StageWords(
            "vote",
            "simulated raters rank the answers",
            "{rankings} rankings by {raters} raters, blind, in shuffled orders",
        ),
        "agree": StageWords(
            "agree", "measure agreement, find odd raters", "alpha {alpha}; odd: {odd}"
        ),
        "reward": StageWords(
            "reward", "learn a reward from the votes", "held-out accuracy {accuracy}"
        ),
        "ppo": StageWords(
            "ppo",
            "improve against the reward (RLHF)",
            "reward {first:.2f} -> {last:.2f}, KL {kl:.1f} nats",
        ),
        "dpo": StageWords(
            "dpo",
            "learn straight from the votes",
            "accuracy on the votes {accuracy:.2f}, margin {margin:.2f}",
        ),
        "compare": StageWords(
            "compare", "ask held-out questions before and after", "supporting answers {support}"
        ),
        "report": StageWords("report", "write the page", "{page}"),
    },
    "zh": {
        "world": StageWords(
            "題目", "寫下問題與評分者", "{questions} 個問題，{raters} 位模擬評分者"
        ),
        "base": StageWords("基礎模型", "以題目世界的文字訓練", "{millions:.2f} 百萬個參數{cached}"),
        "sft": StageWords("監督微調", "以示範回答微調", "損失 {loss:.3f}"),
        "complete": StageWords(
            "回答", "取樣要評的回答", "{questions} 個問題，每題 {answers} 個回答"
        ),
        "vote": StageWords(
            "投票",
            "模擬評分者排序回答",
            "{raters} 位評分者的 {rankings} 份排序，不知來源，順序打亂",
        ),
        "agree": StageWords(
            "一致性", "衡量一致程度，找出異常的評分者", "alpha {alpha}；異常：{odd}"
        ),
        "reward": StageWords("獎勵模型", "從票學出獎勵", "未訓練過的題目上準確率 {accuracy}"),
        "ppo": StageWords(
            "PPO", "依獎勵改進（RLHF）", "獎勵 {first:.2f} → {last:.2f}，KL {kl:.1f} 奈特"
        ),
        "dpo": StageWords(
            "DPO", "直接從票學習", "符合投票的比例 {accuracy:.2f}，差距 {margin:.2f}"
        ),
        "compare": StageWords("比較", "訓練前後回答保留的問題", "支持的回答 {support}"),
        "report": StageWords("報告", "寫成網頁", "{page}"),
    },
}
# Words that stand for a value, and how a list is written.
_SAID = {
    "en": {"cached": ", cached", "nobody": "nobody", "undefined": "undefined"},
    "zh": {
        "cached": "，沿用快取",
        "nobody": "無人",
        "undefined": "無法定義",
        "careless": "草率",
        "reversed": "顛倒",
        "side": "偏向一側",
    },
}
_COMMA = {"en": ", ", "zh": "、"}
_KIND = {"en": "{name} ({kind})", "zh": "{name}（{kind}）"}


def stage_words(name: str, values: Values, lang: str) -> dict[str, str]:
    """The stage's name, what it does, and its figure, in one language."""
    words = WORDS[lang][name]
    figure = words.figure.format(**{key: _word(value, lang) for key, value in values.items()})
    return {"name": words.name, "what": words.what, "figure": figure}


def _word(value: Value, lang: str) -> str | float:
    """A number as it is, for the template to round; anything else as words."""
    if isinstance(value, Estimate):
        return span(value, _SAID[lang]["undefined"])
    if isinstance(value, Mapping):
        items = [_item(name, item, lang) for name, item in value.items()]
        return _COMMA[lang].join(items) or _SAID[lang]["nobody"]
    return _SAID[lang].get(value, value) if isinstance(value, str) else value


def _item(name: str, value: str | float, lang: str) -> str:
    if isinstance(value, str):
        return _KIND[lang].format(name=name, kind=_SAID[lang].get(value, value))
    return f"{name} {value:.0%}"


def span(estimate: Estimate, undefined: str = "undefined") -> str:
    """A figure with its interval, for one line."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return undefined
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def in_both_languages(row: Meta) -> Meta:
    """A stage's row of the ledger with each text in English and Chinese, for the summary."""
    chinese = row.get("zh", {})
    rest = {key: value for key, value in row.items() if key != "zh"}
    return rest | {key: {"en": row[key], "zh": text} for key, text in chinese.items()}
