"""What the demo says of its stages reads in each language."""

from __future__ import annotations

import re
import string

import pytest

from suffrage.core.results import Estimate
from suffrage.demo.stages import STAGES
from suffrage.demo.words import WORDS, Values, in_both_languages, stage_words

ALPHA = Estimate(value=0.2512, low=0.2149, high=0.2861)


def test_every_stage_has_its_words_in_every_language() -> None:
    names = [stage.name for stage in STAGES]
    for lang, words in WORDS.items():
        assert list(words) == names, lang
        for name in names:
            assert _places(words[name].figure) == _places(WORDS["en"][name].figure), name
    assert [words.name for words in WORDS["en"].values()] == names


def _places(template: str) -> set[str | None]:
    return {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}


def test_no_english_sentence_is_among_the_chinese_words() -> None:
    for words in WORDS["zh"].values():
        for text in (words.name, words.what, re.sub(r"\{.*?\}", "", words.figure)):
            assert not re.search(r"[A-Za-z]+ [a-z]+", text), text


@pytest.mark.parametrize(
    ("name", "values", "english", "chinese"),
    [
        (
            "agree",
            {"alpha": ALPHA, "odd": {"Ivan": "side", "Fang-Yu": "careless"}},
            "alpha 0.25 [0.21, 0.29]; odd: Ivan (side), Fang-Yu (careless)",
            "alpha 0.25 [0.21, 0.29]；異常：Ivan（偏向一側）、Fang-Yu（草率）",
        ),
        (
            "agree",
            {"alpha": Estimate(value=None, note="only one value was ever given"), "odd": {}},
            "alpha undefined; odd: nobody",
            "alpha 無法定義；異常：無人",
        ),
        (
            "base",
            {"millions": 1.1249, "cached": "cached"},
            "1.12 M parameters, cached",
            "1.12 百萬個參數，沿用快取",
        ),
        (
            "compare",
            {"support": {"SFT": 0.474, "PPO": 0.985}},
            "supporting answers SFT 47%, PPO 98%",
            "支持的回答 SFT 47%、PPO 98%",
        ),
    ],
)
def test_values_become_words(name: str, values: Values, english: str, chinese: str) -> None:
    assert stage_words(name, values, "en")["figure"] == english
    assert stage_words(name, values, "zh")["figure"] == chinese


def test_the_summary_gives_each_text_in_both_languages() -> None:
    said = {lang: stage_words("sft", {"loss": 0.4561}, lang) for lang in WORDS}
    row = in_both_languages({**said["en"], "seconds": 2.5, "zh": said["zh"]})
    assert row == {
        "name": {"en": "sft", "zh": "監督微調"},
        "what": {"en": "fine-tune on demonstrations", "zh": "以示範回答微調"},
        "figure": {"en": "loss 0.456", "zh": "損失 0.456"},
        "seconds": 2.5,
    }


def test_a_row_of_one_language_is_left_as_it_is() -> None:
    row = {"name": "sft", "what": "fine-tune", "seconds": 2.5, "figure": "loss 0.456"}
    assert in_both_languages(row) == row
