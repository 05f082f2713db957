"""The page as a whole: its sections, its form, and that nothing in it can act or call out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from page_reader import Page
from study_fixture import (
    WORDS,
    answers,
    groups,
    ranking,
    raters,
    reward,
    stance,
    summary,
    write_run,
    write_study,
)

from suffrage.core.files import write_json, write_jsonl
from suffrage.core.results import write_result
from suffrage.report import build_report
from suffrage.report.sections import SECTIONS

ALL = [section.name for section in SECTIONS]
EN = WORDS["en"]


def test_a_whole_study_fills_every_section_in_order(page: Page) -> None:
    assert page.sections == ALL
    links = [value for value in page.values("href") if value.startswith("#")]
    assert [f"#{name}" for name in ALL] == [link for link in links if link[1:] in ALL]


def _result(make: Callable[[], object]) -> Callable[[Path], None]:
    return lambda folder: write_result(folder / "x.json", make())  # type: ignore[arg-type]


PARTS: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "summary": (_result(lambda: summary(EN)), ["runs"]),
    "raters": (_result(lambda: raters(EN)), ["finding", "raters"]),
    "ranking": (_result(ranking), ["ranking"]),
    "reward": (_result(lambda: reward("votes", 0.8)), ["finding", "reward"]),
    "stance": (_result(lambda: stance(EN)), ["finding", "stance"]),
    "comparison": (_result(lambda: answers(EN)), ["answers"]),
    "groups": (
        lambda folder: write_jsonl(folder / "g.jsonl", [group.to_json() for group in groups(EN)]),
        ["data"],
    ),
    "sft": (lambda folder: write_run(folder / "sft", "sft"), ["training", "runs"]),
    "ppo": (
        lambda folder: write_run(folder / "ppo", "ppo"),
        ["training", "reward_kl", "samples", "runs"],
    ),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_section_without_data_is_absent(part: str, tmp_path: Path) -> None:
    write, expected = PARTS[part]
    (tmp_path / "in").mkdir()
    write(tmp_path / "in")
    html = build_report([tmp_path / "in"], tmp_path / "r.html").read_text(encoding="utf-8")
    assert Page(html).sections == expected


def test_the_page_is_well_formed(page: Page, study_html: str) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    references = re.findall(
        r'href="#([^"]+)"|url\(#([^)]+)\)|aria-labelledby="([^"]+)"', study_html
    )
    assert {name for found in references for name in found if name} <= set(ids)
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    for tag, attrs in page.tags:
        assert tag != "th" or attrs.get("scope") in ("col", "row")
        assert tag != "svg" or attrs.get("aria-label")


def test_the_page_loads_and_runs_nothing(page: Page, study_html: str) -> None:
    assert "http:" not in study_html
    assert "https:" not in study_html
    assert not page.values("src")
    assert {value for value in page.values("href") if not value.startswith("#")} == {"data:,"}
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "object", "form", "img"}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_drawings_do_not_style_the_page(study_html: str) -> None:
    assert study_html.count("<style") == 1
    assert "#010a" not in study_html  # every sentinel colour became a variable
    assert "[[" not in study_html  # every placeholder became a word
    assert "DejaVu" not in study_html.replace("DejaVu Sans Mono", "")


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study")
    first = build_report([study], tmp_path / "a.html").read_bytes()
    assert build_report([study], tmp_path / "b.html").read_bytes() == first


def test_the_headline_states_the_measured_shares(tmp_path: Path) -> None:
    write_result(tmp_path / "stance.json", stance(EN))
    html = build_report([tmp_path], tmp_path / "r.html").read_text(encoding="utf-8")
    text = Page(html).text
    assert "“Supporting” answers went from 48% (sft) to 96% (dpo) and 91% (ppo)." in text
    assert "No interval overlaps the first model’s" in text  # 37-59 against 92-100 and 87-95


def test_an_overlap_is_admitted(tmp_path: Path) -> None:
    result = stance(EN)
    wide = result.models[2].shares["support"].model_copy(update={"low": 0.55})
    vague = result.models[2].model_copy(update={"shares": {"support": wide}})
    models = (*result.models[:2], vague)
    write_result(tmp_path / "stance.json", result.model_copy(update={"models": models}))
    text = Page(build_report([tmp_path], tmp_path / "r.html").read_text(encoding="utf-8")).text
    assert "The interval of ppo overlaps the first model’s" in text


def test_odd_raters_are_named_with_their_evidence(page: Page, study_html: str) -> None:
    chinese = 'lang="zh-Hant"' in study_html
    said = ["和擲硬幣差不多", "比擲硬幣還少", "看的是位置而不是內容"] if chinese else []
    for kind in ("careless", "reversed", "side"):
        said += [] if chinese else [WORDS["en"][kind]]
    assert all(sentence in page.text for sentence in said)
    assert "0.58 (0.52–0.64)" in page.text


def test_an_unfinished_run_says_so(tmp_path: Path) -> None:
    write_run(tmp_path / "sft", "sft", finished=False)
    text = Page(build_report([tmp_path], tmp_path / "r.html").read_text(encoding="utf-8")).text
    assert "… not finished" in text
    assert "✓ finished" not in text


def test_chinese_words_reach_the_pictures(tmp_path: Path) -> None:
    name = "評分者甲"
    result = raters(EN)
    person = result.raters[0].model_copy(update={"rater": name})
    write_result(tmp_path / "r.json", result.model_copy(update={"raters": (person,)}))
    html = build_report([tmp_path], tmp_path / "r.html", lang="zh").read_text(encoding="utf-8")
    assert re.search(rf"<text[^>]*>{name}</text>", html)


def test_responses_of_the_assignment_stand_side_by_side(tmp_path: Path) -> None:
    row = {
        "id": 1,
        "prompt": "真人版好嗎？",
        "response_from_original_model": "不好。",
        "response_from_trained_model": "好！",
    }
    write_json(tmp_path / "responses.json", [row])
    out = build_report([tmp_path / "responses.json"], tmp_path / "r.html", lang="zh")
    text = Page(out.read_text(encoding="utf-8")).text
    assert "原始模型 不好。 訓練後模型 好！" in text


def test_runs_show_machine_once_and_each_command(page: Page, study_html: str) -> None:
    for method in ("sft", "reward", "dpo", "ppo"):
        assert f"suffrage train {method} --model base" in page.text
    assert study_html.count("Linux x86_64") == 1


@pytest.mark.parametrize(
    ("method", "there", "absent"),
    [("reward", ["Loss", "Accuracy"], "Mean score"), ("ppo", ["Mean score", "KL"], "pushes down")],
)
def test_each_method_shows_the_figures_that_matter(
    method: str, there: list[str], absent: str, tmp_path: Path
) -> None:
    run = write_run(tmp_path / method, method)
    text = Page(build_report([run], tmp_path / "r.html").read_text(encoding="utf-8")).text
    assert all(words in text for words in there)
    assert absent not in text
