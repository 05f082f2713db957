"""What the page says beside its figures: against what, on what, in whose language."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from page_reader import Page
from study_fixture import WORDS, groups, ranking, raters, reward, stance, summary, write_run

from suffrage.core.files import read_json, write_json, write_jsonl
from suffrage.core.records import Group, Judgment
from suffrage.core.results import (
    Camp,
    Estimate,
    Ranking,
    RankingResult,
    RewardResult,
    StanceResult,
    in_language,
    write_result,
)
from suffrage.evaluate.stance import stance_shares
from suffrage.report import build_report
from suffrage.report.notes import note_of
from suffrage.report.words import load_words
from suffrage.stats.agreement import agreement_share, alpha_estimate
from suffrage.stats.comparisons import Match, from_matches
from suffrage.stats.intervals import clustered_mean
from suffrage.stats.leaderboard import Basis, rank
from suffrage.stats.rankings import Setting

EN, ZH = load_words("en"), load_words("zh")


def text_of(folder: Path, lang: str = "en") -> str:
    out = build_report([folder], folder / "page.html", lang=lang)  # type: ignore[arg-type]
    return Page(out.read_text(encoding="utf-8")).text


def test_a_text_of_several_languages_is_read_in_the_pages_own() -> None:
    assert in_language({"en": "votes", "zh": "票"}, "zh") == "票"
    assert in_language({"en": "votes", "zh": "票"}, "fr") == "votes"
    assert in_language({"zh": "票"}, "en") == "票"
    assert in_language("votes", "zh") == "votes"
    assert in_language({"rows": 50}, "zh") == {"rows": 50}
    assert in_language({}, "zh") == {}


@pytest.mark.parametrize(
    ("lang", "shown", "absent"), [("en", "votes", "票"), ("zh", "票", "votes")]
)
def test_texts_of_a_study_follow_the_language_of_the_page(
    lang: str, shown: str, absent: str, tmp_path: Path
) -> None:
    said = {"en": "votes", "zh": "票"}
    stage = {"name": said, "what": said, "figure": said, "seconds": 2.5}
    made = summary(WORDS["en"]).model_copy(
        update={"title": said, "question": said, "stages": (stage,)}
    )
    write_result(tmp_path / "s.json", made)
    text = text_of(tmp_path, lang)
    assert text.count(shown) >= 6  # title and heading, question, three cells
    assert absent not in text


def measured(calibrated_against: object = "") -> RewardResult:
    against = {"en": "the truth", "zh": "真相"}
    values = {"against": against, "calibrated_against": calibrated_against}
    return reward("", 0.94).model_copy(update=values)


def test_the_page_says_what_accuracy_and_calibration_are_measured_against(tmp_path: Path) -> None:
    write_result(tmp_path / "r.json", measured({"en": "new votes", "zh": "新票"}))
    english = text_of(tmp_path)
    assert "91–97% · measured against the truth" in english  # the tile
    assert "reward, against new votes" in english  # the figure's head
    assert "here against new votes." in english  # and its caption
    assert "Votes are noisier than the truth" in english
    chinese = text_of(tmp_path, "zh")
    assert "91–97% · 對照真相" in chinese
    assert "reward，對照新票" in chinese
    assert "票比真正的偏好雜亂" in chinese


def test_calibration_without_words_of_its_own_is_against_the_same(tmp_path: Path) -> None:
    write_result(tmp_path / "r.json", measured())
    text = text_of(tmp_path)
    assert "reward, against the truth" in text
    assert "noisier" not in text


def dpo_run(folder: Path, method: str, options: dict[str, float]) -> None:
    run = write_run(folder / method, method)
    write_json(run / "settings.json", read_json(run / "settings.json") | {"options": options})


def test_the_caption_of_the_loss_says_what_the_options_make_of_it(tmp_path: Path) -> None:
    dpo_run(tmp_path, "dpo", {"beta": 0.3, "nll": 0.75})
    text = text_of(tmp_path)
    assert "0.75 × the surprise of the preferred answer" in text
    assert "it begins above 0.693" in text
    assert "0.75 ×較佳回答讓模型多意外" in text_of(tmp_path, "zh")


@pytest.mark.parametrize(
    ("method", "options", "shown"),
    [
        ("dpo", {"beta": 0.3, "nll": 0.0}, "0.693 is undecided"),
        ("reward", {}, "0.693 is undecided"),
        ("reward", {"margin": 0.5}, "its fall tells more than its height"),
    ],
)
def test_a_loss_without_a_second_part_begins_at_its_textbook_value(
    method: str, options: dict[str, float], shown: str, tmp_path: Path
) -> None:
    dpo_run(tmp_path, method, options)
    assert shown in text_of(tmp_path)


def test_a_critic_near_zero_is_called_no_better_than_a_constant(tmp_path: Path) -> None:
    write_run(tmp_path / "ppo", "ppo")
    assert "Near or below 0 it is no better than a constant" in text_of(tmp_path)
    assert "接近或低於 0 表示它不比一個常數好" in text_of(tmp_path, "zh")


def test_an_interval_that_resampling_cannot_give_is_explained_where_it_stands(
    tmp_path: Path,
) -> None:
    before = [["support", "oppose", "balanced"]] * 4 + [["oppose"] * 3]
    after = [["support"] * 3] * 4 + [["support", "support", "balanced"]]
    models = (stance_shares("old", before), stance_shares("new", after, [[True] * 3] * 5))
    write_result(tmp_path / "s.json", StanceResult(question="?", models=models))
    rest = "no answer took this side, so its share is at most what the interval of “Supporting”"
    text = text_of(tmp_path)
    assert f"1 {rest} leaves" in text  # under the table, by its number
    assert f"new: {rest} leaves" in text  # and under the figure, by the model
    assert "2 all 5 prompts gave the same figure, so this is Wilson’s interval" in text
    assert "沒有回答站在這一邊，所以占比最多是「支持」的區間所剩下的部分" in text_of(tmp_path, "zh")


def test_every_note_that_statistics_write_has_words_in_both_languages() -> None:
    nobody, one_value = np.zeros((1, 2, 2)), np.array([[[4.0, 0], [0, 0]]] * 2)
    worth, counts = np.array([1.0, 2.0]), np.array([[1.0, 0.0]])
    # On each of three prompts one pair agrees and one does not: resampling changes nothing
    mixed = np.array([[[1.0, 0.5], [0.5, 1.0]]] * 3)
    noted = [
        clustered_mean(np.ones(6), np.arange(6) // 2),
        clustered_mean(np.ones(2), np.zeros(2, dtype=int)),
        clustered_mean([7.5, 7.5], ["p", "q"]),
        clustered_mean([7.5], ["p"]),
        clustered_mean([], []),
        alpha_estimate(nobody, worth, "nominal"),
        alpha_estimate(one_value, worth, "nominal"),
        alpha_estimate(mixed, worth, "nominal"),
        agreement_share(counts, ["p"]),
        stance_shares("m", [["support"] * 4, ["support", "support", "oppose", "support"]]).shares[
            "balanced"
        ],
        Estimate(value=0.5, note="over the 12 judgments by rating only"),
        Basis(3, "raters").estimate(0.5, np.ones(4)),
        Basis(3, "prompts").estimate(np.nan, np.ones(4)),
        Estimate(value=None, note=_two_parts().note),
    ]
    for estimate in noted:
        assert estimate.note
        assert note_of(estimate, EN) != "", estimate.note
        assert not any(letter in note_of(estimate, ZH) for letter in "aeu"), estimate.note


def _two_parts() -> Ranking:
    """A beats b and c beats d: nothing joins the two pairs."""
    matches = [Match(*names, 1.0, prompt="p", rater="r") for names in ("ab", "cd")]
    return rank(from_matches(matches, list("abcd")), Setting(rounds=2)).ranking


def test_notes_of_several_parts_and_unknown_ones() -> None:
    note = "one prompt only: no interval; over the 12 judgments by rating only; seen by hand"
    both = Estimate(value=0.5, note=note)
    assert note_of(both, EN) == (
        "one prompt only: no interval; over the 12 ratings only; seen by hand"
    )
    assert note_of(both, ZH) == "只有一個提示：沒有區間；只計 12 筆評等；seen by hand"
    assert note_of(Estimate(value=0.5), ZH) == ""


def test_a_judgment_in_two_files_is_counted_once(tmp_path: Path) -> None:
    votes = groups(WORDS["en"])
    write_jsonl(tmp_path / "a-feedback.jsonl", [group.to_json() for group in votes])
    more = votes[0].model_copy(update={"judgments": (*votes[0].judgments, _later(votes[0]))})
    write_jsonl(tmp_path / "b-preferences.jsonl", [g.to_json() for g in (more, *votes[1:])])
    text = text_of(tmp_path)
    # two rankings of each of three prompts; the second file adds one that corrects one of them
    assert "a-feedback.jsonl 3 12 5 (1 corrected) 2 3 rankings 5" in text
    assert "b-preferences.jsonl 3 12 1 (6 counted above) 2 3 rankings 1" in text
    assert "counted once" in text


def _later(group: Group) -> Judgment:
    first = group.judgments[0]
    return first.model_copy(update={"id": "later", "supersedes": first.id})


def test_judgments_of_one_id_on_other_prompts_are_others(tmp_path: Path) -> None:
    for number, group in enumerate(groups(WORDS["en"])[:2]):
        same = tuple(v.model_copy(update={"id": f"j{n}"}) for n, v in enumerate(group.judgments))
        row = group.model_copy(update={"judgments": same}).to_json()
        write_jsonl(tmp_path / f"{number}.jsonl", [row])
    text = text_of(tmp_path)
    assert "counted once" not in text
    assert text.count("rankings 2") == 2


def test_leaderboards_and_the_choices_for_all_groups_stand_in_the_page(tmp_path: Path) -> None:
    write_result(tmp_path / "k.json", ranking())
    text = text_of(tmp_path)
    assert "1,240 comparisons of 10 prompts by 12 raters" in text
    assert "faculty: arts" in text
    assert "1 (1–2) dpo 0.84 (0.54–1.14) 67% (61–73%) 820" in text
    assert "3 sft −1.05 (−1.35 … −0.75) 28% (22–34%) 820" in text
    # the rule, the item, its worth to arts, to law and to the worse off of both, how sure
    assert "Mean choice dpo 73% 24% 24% 58%" in text
    assert "MaxMin choice ppo 51% 52% 51% 91%" in text
    assert "The fairest mixture is 75% ppo and 25% dpo: worth 53% to the least happy group." in text
    assert "of two equals the one shown first wins: 53% (51–55%)" in text
    assert "MaxMin 選擇 ppo 51% 52% 51% 91%" in text_of(tmp_path, "zh")


def test_camps_are_numbered_in_the_pages_language(tmp_path: Path) -> None:
    found = ranking().rankings[0].model_copy(update={"group": "camp 2"})
    camp = Camp(name="camp 2", raters={"Ann": 0.9, "Bob": 0.7})
    gain = Estimate(value=0.12, low=0.04, high=0.2)
    result = RankingResult(by="camp", rankings=(found,), camps=(camp,), camp_gains={2: gain})
    write_result(tmp_path / "k.json", result)
    assert "Camp 2 : Ann and Bob" in text_of(tmp_path)
    assert "陣營 2 ： Ann與 Bob" in text_of(tmp_path, "zh")
    assert "2 camps predict a vote kept back better than one by 0.12 (0.04–0.20)" in text_of(
        tmp_path
    )


def test_coefficients_beside_alpha_stand_in_the_page(tmp_path: Path) -> None:
    write_result(tmp_path / "r.json", raters(WORDS["en"]))
    assert "Kendall’s tau-b 0.61 (0.55–0.67)" in text_of(tmp_path)
    assert "Kendall’s W（排序） 0.72 (0.66–0.77)" in text_of(tmp_path, "zh")


def test_a_chinese_page_says_nothing_in_english_but_names(tmp_path: Path) -> None:
    write_result(tmp_path / "r.json", raters(WORDS["zh"]))
    write_result(tmp_path / "s.json", stance(WORDS["zh"]))
    write_result(tmp_path / "m.json", measured({"en": "new votes", "zh": "新票"}))
    write_run(tmp_path / "dpo", "dpo")
    out = build_report([tmp_path], tmp_path / "page.html", lang="zh")
    page = Page(out.read_text(encoding="utf-8"))
    spoken = page.values("aria-label")
    assert len(spoken) > 8
    for sentence in ("held out", "training", "Share of", "eval/loss", ": "):
        assert not any(sentence in label for label in spoken), sentence
