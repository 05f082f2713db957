"""Texts that would act, disguise or flood the page are shown inert; odd numbers do no harm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from page_reader import Page
from study_fixture import EMPTY, estimate, raters, reward, stance, write_run

from suffrage.core.files import write_json, write_jsonl
from suffrage.core.records import Completion, Group, Judgment, Prompt
from suffrage.core.results import (
    Answer,
    Comparison,
    ComparisonResult,
    ModelStance,
    StanceResult,
    SummaryResult,
    write_result,
)
from suffrage.report import build_report

ATTACK = (
    "</style></svg><script>alert(1)</script><img src=x onerror=alert(2)>\"' $\\frac{1}{0}$ [[0]]"
)
BIDI = "safe \u202etxt.exe\u2066 \x00\x07\x1b[31m\x85"


def page_of(folder: Path) -> tuple[Page, str]:
    html = build_report([folder], folder / "out.html").read_text(encoding="utf-8")
    return Page(html), html


def write_attack(folder: Path, text: str) -> None:
    """The text in every place a model, a rater or a settings file can put one."""
    person = (
        raters(EMPTY)
        .raters[0]
        .model_copy(update={"rater": text, "odd": "careless", "evidence": text})
    )
    write_result(folder / "raters.json", raters(EMPTY).model_copy(update={"raters": (person,)}))
    write_result(folder / "reward.json", reward(text, 0.8).model_copy(update={"model": text}))
    model = ModelStance(model=text, shares={text: estimate(0.5, 0.1)}, prompts=1, samples=1)
    write_result(folder / "stance.json", StanceResult(question=text, models=(model, model)))
    answer = Answer(model=text, text=text, stance=text)
    rows = (Comparison(prompt=text, answers=(answer, answer)),)
    write_result(folder / "answers.json", ComparisonResult(rows=rows))
    stage = {"name": text, "what": text, "figure": text, "seconds": text, "reused": text}
    write_result(
        folder / "summary.json",
        SummaryResult(title=text, question=text, stages=(stage,), settings={text: [text]}),
    )
    completion = Completion(id="c", prompt_id="p", text=text)
    thumb = Judgment(
        id="j", prompt_id="p", rater=text, kind="thumb", value="up", completions=("c",)
    )
    group = Group(
        prompt=Prompt(id="p", content=text), completions=(completion,), judgments=(thumb,)
    )
    write_jsonl(folder / "groups.jsonl", [group.to_json()])
    run = write_run(folder / "run", "dpo")
    write_json(run / "settings.json", {"verb": text, "method": text, text: text, "command": text})
    write_json(run / "environment.json", {"python": text, "started": text})
    write_jsonl(run / "metrics.jsonl", [{"step": 1, "loss": 0.5, text: 1.0}, {"step": text}])


@pytest.mark.parametrize("text", [ATTACK, BIDI], ids=["markup", "controls"])
def test_hostile_text_is_inert_everywhere(text: str, tmp_path: Path) -> None:
    write_attack(tmp_path, text)
    page, html = page_of(tmp_path)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img"}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert html.count("</style>") == 1
    for character in "\u202e\u2066\x00\x07\x1b\x85":
        assert character not in html


def test_disguising_characters_are_named(tmp_path: Path) -> None:
    write_attack(tmp_path, BIDI)
    assert "safe ⟨U+202E⟩txt.exe⟨U+2066⟩" in page_of(tmp_path)[0].text


def test_a_megabyte_is_shortened_with_a_note(tmp_path: Path) -> None:
    answer = Answer(model="m", text="長" * 1_000_000)
    rows = (Comparison(prompt="p" * 1_000_000, answers=(answer,)),)
    write_result(tmp_path / "a.json", ComparisonResult(rows=rows))
    page, html = page_of(tmp_path)
    assert "Shortened; the answer has 1,000,000 characters." in page.text
    assert "長" * 1199 + "…" in html
    assert len(html) < 40_000


def test_metrics_that_are_no_numbers_leave_gaps(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "dpo")
    lines = [
        '{"step": 1, "loss": 0.75, "margin": null, "note": "text", "nested": {"a": 1}}',
        '{"step": 2, "loss": NaN, "margin": Infinity, "accuracy": true}',
        '{"step": 3, "loss": -Infinity, "margin": 1e400, "grad_norm": 2}',
        '{"loss": 0.25, "step": 4, "margin": ' + "9" * 400 + "}",
        "",
    ]
    (run / "metrics.jsonl").write_text("\n".join(lines), encoding="utf-8")
    text = page_of(tmp_path)[0].text
    assert "0.75 → 0.25" in text
    assert "2 values were not finite and are left out." in text
    assert "Margin" not in text  # never a finite number
    assert "Also logged: grad_norm." in text


def test_undefined_estimates_show_a_dash(tmp_path: Path) -> None:
    nothing = estimate(0.5, 0.1).model_copy(update={"value": None, "low": None, "high": None})
    result = raters(EMPTY)
    person = result.raters[0].model_copy(update={"reliability": nothing})
    alpha = nothing.model_copy(update={"note": "only one value was ever given"})
    write_result(
        tmp_path / "r.json", result.model_copy(update={"raters": (person,), "alpha": alpha})
    )
    before, *after = stance(EMPTY).models
    unknown = before.model_copy(update={"shares": {"support": nothing}})
    write_result(tmp_path / "s.json", StanceResult(question="", models=(unknown, *after)))
    text = page_of(tmp_path)[0].text
    assert "Agreement cannot" in text or "agreement cannot" in text
    assert "only one value was ever given" in text
    assert "went from – (sft)" in text


def test_half_a_surrogate_pair_is_no_crash(tmp_path: Path) -> None:
    row = {"prompt": "\ud83d", "response_from_original_model": "\udc00", "id": 1}
    (tmp_path / "responses.json").write_text(json.dumps([row]), encoding="ascii")
    assert page_of(tmp_path)[0].sections == ["answers"]
