"""The small pure parts, each against values worked by hand."""

from __future__ import annotations

import math
import re
import string
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from study_fixture import WORDS, groups

from suffrage.core.records import Completion, Group, Judgment, Prompt
from suffrage.core.results import CalibrationBin, Estimate
from suffrage.report import text
from suffrage.report.collect.raters import reading
from suffrage.report.collect.reward import calibration_error
from suffrage.report.collect.runs import moment
from suffrage.report.collect.votes import places, votes
from suffrage.report.figures.canvas import ACCENT, Canvas, fit, quiet_style
from suffrage.report.figures.curves import POINTS, moving_average, thin, tick, trend
from suffrage.report.words import load_words

EN = load_words("en")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.4849, "48%"), (0.996, "99.6%"), (1.0, "100%"), (0.0, "0%"), (0.004, "0.4%"), (0.29, "29%")],
)
def test_percent_never_claims_all_or_none_by_rounding(value: float, shown: str) -> None:
    assert text.percent(value) == shown


def test_estimates_name_their_level_only_when_unusual() -> None:
    usual = Estimate(value=0.5, low=0.25, high=0.75)
    assert text.estimate(usual) == "50% (25–75%)"
    assert text.estimate(usual.model_copy(update={"level": 0.9})) == "50% (90%: 25–75%)"
    assert text.estimate(Estimate(value=None)) == "–"
    negative = Estimate(value=-0.125, low=-0.5, high=0.25)
    assert text.estimate(negative, share=False) == "−0.12 (−0.50 … 0.25)"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(3.25, "3.2 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min"),
     (None, "–"), (math.nan, "–"), ("x", "–"), (-1, "–")],
)  # fmt: skip
def test_durations(seconds: object, shown: str) -> None:
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [("2026-03-01T09:30:59+00:00", "2026-03-01 09:30 UTC"),
     ("2026-03-01T09:30:59.123+08:00", "2026-03-01 09:30 +08:00"),
     ("2026-03-01T09:30", "2026-03-01 09:30"), ("yesterday", "yesterday"), (None, "–")],
)  # fmt: skip
def test_moments(value: object, shown: str) -> None:
    assert moment(value) == shown


def test_names_keep_the_end_of_a_path() -> None:
    assert text.short_name("/a/very/long/way/" + "x" * 30 + "/runs/dpo") == "runs/dpo"
    assert len(text.short_name("x" * 200)) == 40


def test_thinning_keeps_both_ends_and_the_order() -> None:
    points = [(float(step), step * 2.0) for step in range(10_000)]
    kept = thin(points)
    assert len(kept) == POINTS
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    assert kept == sorted(kept)
    assert thin(points[:7]) == points[:7]


def test_moving_average_by_hand() -> None:
    values = np.array([3.0, 6.0, np.nan, 9.0, 1.0])
    # width 3: (3+6)/2, (3+6)/2, a gap stays a gap, (9+1)/2, (9+1)/2
    np.testing.assert_allclose(moving_average(values, 3), [4.5, 4.5, np.nan, 5.0, 5.0])


def test_few_points_are_drawn_as_they_are() -> None:
    points = [(1.0, 5.0), (2.0, math.nan), (3.0, 1.0)]
    assert trend(points)[0] == (1.0, 5.0)
    assert trend(points)[2] == (3.0, 1.0)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.30000000000000004, "0.3"), (1500, "1500"), (-2.5, "−2.5"), (2e6, "2e6"), (1e-5, "1e−5")],
)
def test_ticks_are_plain(value: float, shown: str) -> None:
    assert tick(value) == shown


def test_calibration_error_weighs_by_pairs() -> None:
    bins = [
        CalibrationBin(predicted=0.2, observed=Estimate(value=0.3, n=30)),
        CalibrationBin(predicted=0.8, observed=Estimate(value=0.6, n=10)),
    ]
    assert calibration_error(bins) == pytest.approx(0.75 * 0.1 + 0.25 * 0.2)


@pytest.mark.parametrize(
    ("alpha", "key"),
    [(None, "undefined"), (-0.2, "none"), (0.0, "none"), (0.66, "low"), (0.667, "fair"),
     (0.799, "fair"), (0.8, "good")],
)  # fmt: skip
def test_alpha_in_plain_words(alpha: float | None, key: str) -> None:
    assert reading(Estimate(value=alpha)) == key


def test_ties_share_the_mean_place() -> None:
    first = groups(WORDS["en"])[0].judgments[0]  # (c0 = c3) > c1 > c2
    assert places(first) == {"p0c0": 1.5, "p0c3": 1.5, "p0c1": 3.0, "p0c2": 4.0}


def _judged(*judgments: dict[str, object]) -> Group:
    completions = tuple(Completion(id=name, prompt_id="p", text=name) for name in "xyz")
    made = [
        Judgment.model_validate({"id": str(number), "prompt_id": "p", "rater": "r", **values})
        for number, values in enumerate(judgments)
    ]
    prompt = Prompt(id="p", content="?")
    return Group(prompt=prompt, completions=completions, judgments=tuple(made))


def test_votes_in_words() -> None:
    group = _judged(
        {"kind": "pair", "value": "b", "completions": ["x", "y"]},
        {"kind": "pair", "value": "tie", "completions": ["y", "z"]},
        {"kind": "rating", "value": 6, "completions": ["y"]},
        {"kind": "rating", "value": 5, "completions": ["y"]},
        {"kind": "thumb", "value": "up", "completions": ["y"]},
        {"kind": "grade", "value": "B", "completions": ["z"]},
    )
    assert votes(group, "y", EN) == ["won 1 of 2 comparisons", "mean rating 5.5 of 7 (2)", "up 1"]
    assert votes(group, "z", EN) == ["won 0 of 1 comparisons", "B 1"]


def test_a_corrected_vote_does_not_count() -> None:
    thumb = {"kind": "thumb", "completions": ["x"]}
    group = _judged({**thumb, "value": "up"}, {**thumb, "value": "down", "supersedes": "0"})
    assert votes(group, "x", EN) == ["down 1"]


def test_labels_are_cut_to_the_room_there_is() -> None:
    assert fit("abcde", 2.9) == "abcde"  # five letters of .58
    assert fit("投票投票", 4.0) == "投票投票"
    assert fit("投票投票投", 4.0) == "投票投…"  # three of 1, and 1 for the ellipsis


def test_words_are_placed_once_and_escaped() -> None:
    with quiet_style():
        canvas = Canvas("name", 100, 50)
        axes = canvas.axes(1, 1, 1, 1)
        for place, word in enumerate(("[[1]] & <b>", "中文 $x^2$")):
            axes.text(0, place, canvas.word(word), color=ACCENT)
        svg = canvas.svg('a "label" <i>')
    assert ">[[1]] &amp; &lt;b&gt;</text>" in svg
    assert ">中文 $x^2$</text>" in svg
    assert "fill: var(--accent)" in svg
    assert 'aria-label="a &#34;label&#34; &lt;i&gt;"' in svg


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    with matplotlib.rc_context({"svg.fonttype": "path", "text.parse_math": True}):
        with quiet_style():
            assert matplotlib.rcParams["svg.fonttype"] == "none"
        assert matplotlib.rcParams["svg.fonttype"] == "path"
        assert matplotlib.rcParams["text.parse_math"]


def test_both_catalogues_hold_the_same_entries() -> None:
    english, chinese = (load_words(lang).entries for lang in ("en", "zh"))
    assert english.keys() == chinese.keys()
    for key, entry in english.items():
        assert _places(entry) == _places(chinese[key]), key
        assert (entry == "") == (chinese[key] == ""), key


def _places(entry: str) -> set[str | None]:
    return {field for _, field, _, _ in string.Formatter().parse(entry) if field is not None}


def test_chinese_words_are_chinese() -> None:
    latin_only = {
        key
        for key, entry in load_words("zh").entries.items()
        if re.search("[A-Za-z]{2}", entry) and not re.search("[\u4e00-\u9fff]", entry)
    }
    assert latin_only == {"raters.alpha", "finding.after"}  # a name, and a form of two fields


def test_importing_the_report_loads_nothing_heavy() -> None:
    heavy = "{'matplotlib', 'torch', 'transformers'}"
    code = f"import sys, suffrage.report; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
