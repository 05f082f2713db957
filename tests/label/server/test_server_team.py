"""The team's view: figures from hand-made votes, the editor of guidelines, disputes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from project_fixture import QUICK, SECRET, Project, group

from suffrage.core.records import Group, Judgment
from suffrage.core.results import Estimate, RaterSummary
from suffrage.core.words import LANGUAGES
from suffrage.data.read import read_groups
from suffrage.data.readers.containers import raw_rows
from suffrage.label import links
from suffrage.label.server import Settings
from suffrage.label.server.growth import picture
from suffrage.label.server.session import LANGUAGE_COOKIE
from suffrage.label.server.team import plan
from suffrage.label.server.team_data import Point, disputes, figures_of, seen_raters
from suffrage.label.server.words import load_words
from suffrage.label.server.writing import because, ends, said
from suffrage.label.store.contents import TaskPlan, add_groups, add_tasks, groups
from suffrage.label.store.guidelines import guidelines
from suffrage.label.store.progress import progress, votes_by_rater
from suffrage.label.store.raters import withdraw
from suffrage.stats.odd import Odd


def tile(page: str, title: str) -> str:
    found = re.search(rf"<dt>{title}</dt><dd><b>([^<]*)</b>", page)
    assert found, page
    return found.group(1)


def judged(*values: tuple[str, str], prompt: str = "p") -> Group:
    """One pair; each value is a rater and what they said."""
    pair = (f"{prompt}-gpt0", f"{prompt}-gpt1")
    votes = tuple(
        Judgment(
            id=f"{prompt}{rater}",
            prompt_id=prompt,
            rater=rater,
            kind="pair",
            value=value,
            completions=pair,
            shown=pair,
            reason=f"says {rater}",
        )
        for rater, value in values
    )
    return group(prompt, "one", "two").model_copy(update={"judgments": votes})


def test_progress_counts_the_votes_that_are_wanted(project: Project) -> None:
    project.add("pair", group("p", "x", "y"), group("q", "x", "y"), overlap=2)
    for name in ("Mei", "Tom"):
        person = project.join(name)
        person.open()
        person.vote(choice="1")
    found = progress(project.store, project.clock())
    assert (found.votes, found.wanted, found.items) == (2, 4, 2)
    assert (found.hour, found.active, found.hours_left) == (2, 2, 1.0)
    project.clock.passes(hours=2)
    later = progress(project.store, project.clock())
    assert (later.hour, later.hours_left) == (0, None)


def test_practice_is_no_progress(project: Project) -> None:
    known = group("p", "x", "y", expected={"p-gpt0": 2, "p-gpt1": 1})
    add_groups(project.store, [known, group("q", "x", "y")])
    add_tasks(project.store, TaskPlan(kind="pair", practice=1, overlap=2))
    mei = project.join()
    mei.open()
    mei.vote(choice="1")
    found = progress(project.store, project.clock())
    assert (found.votes, found.wanted, found.items, found.finished) == (0, 2, 1, 0)


def test_the_overview_shows_progress_and_agreement(project: Project) -> None:
    project.add("pair", *(group(f"p{i}", "x", "y") for i in range(4)), overlap=2)
    for name in ("Mei", "Tom"):
        person = project.join(name)
        for _ in range(4):
            page = person.open()
            person.vote(choice="1" if page.index(">x<") < page.index(">y<") else "2")
    page = project.team().open("/team")
    assert tile(page, "Votes") == "8"
    assert tile(page, "Items finished") == "4"
    assert tile(page, "Two raters choose alike") == "100%"
    assert "<svg" in page


def test_an_empty_project_has_a_team_view(project: Project) -> None:
    team = project.team()
    assert "No votes yet." in team.open("/team")
    assert "suffrage label invite" in team.open("/team/raters")
    assert "contradict" in team.open("/team/disputes")
    assert team.client.get("/team?width=nan").status_code == 200


def test_withdrawn_votes_leave_the_figures_at_once(project: Project) -> None:
    project.add("pair", group("p", "x", "y"), group("q", "x", "y"))
    mei = project.join()
    mei.open()
    mei.vote(choice="1")
    team = project.team()
    assert "Worked out from 1 votes" in team.open("/team")
    assert mei.rater is not None
    withdraw(project.store, mei.rater.id)
    assert "No votes yet." in team.open("/team")
    assert "withdrawn" in team.open("/team/raters")


def test_withdrawn_votes_leave_the_pace_the_times_and_the_counts(project: Project) -> None:
    project.add("pair", group("p", "x", "y"), group("q", "x", "y"))
    for name, seconds in (("Mei", "7"), ("Tom", "30")):
        person = project.join(name)
        person.open()
        person.vote(choice="1", seconds=seconds)
    assert person.rater is not None
    withdraw(project.store, person.rater.id)
    found = progress(project.store, project.clock())
    assert (found.hour, found.active) == (1, 1)
    seen = {one.rater.name: (one.votes, one.seconds) for one in seen_raters(project.store)}
    assert seen == {"Mei": (1, 7.0), "Tom": (0, None)}
    assert sorted(votes_by_rater(project.store).values()) == [1]


def write_answers(project: Project, name: str, answers: int) -> None:
    writer = project.join(name)
    for number in range(answers):
        writer.open()
        writer.vote(answer=f"my answer {number}")


def test_written_answers_count_though_there_is_nothing_to_agree_on(project: Project) -> None:
    project.add("demonstration", group("p"), group("q"))
    write_answers(project, "Mei", 2)
    project.join("Tom")
    team = project.team()
    page = team.open("/team")
    assert "No votes yet" not in page
    assert "Answers written: 2." in page
    assert "/team/export/" in page
    assert 'name="width"' in page
    raters_page = team.open("/team/raters")
    assert re.findall(r'data-label="Votes">(\d+)<', raters_page) == ["2", "0"]
    assert (raters_page.count("taking part"), raters_page.count("not started")) == (1, 1)
    refused = team.client.get("/team/export/comparisons")
    assert refused.status_code == 404
    assert "nothing that this format could say" in refused.text


def test_a_raters_votes_of_every_kind_are_counted_together(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    mei = project.join()
    mei.open()
    mei.vote(choice="1")
    project.add("demonstration")
    write_answers(project, "Mei", 1)
    page = project.team().open("/team/raters")
    assert re.findall(r'data-label="Votes">(\d+)<', page) == ["2"]


def skip_next(project: Project, name: str, **why: str) -> None:
    person = project.join(name)
    person.open()
    person.post(f"/work/{person.assignment}/skip", **why)


def test_what_cannot_be_judged_is_told_with_who_and_why(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    skip_next(project, "Mei", why="knowledge")
    skip_next(project, "Tom", why="other", more="<script>alert(1)</script>\u202e")
    team = project.team()
    assert "impossible to judge: 1; raters who did: 2" in team.open("/team")
    rows = re.findall(r'data-label="Skipped">(\d+)<', team.open("/team/raters"))
    assert rows == ["1", "1"]
    assert team.page.count("taking part") == 2
    page = team.open("/team/skipped")
    assert "0 of 3 votes" in page
    assert "It needs knowledge I do not have" in page
    assert "Something else: &lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩" in page
    assert page.index(">Mei<") < page.index(">Tom<")
    assert "secret-model" not in page
    team.client.cookies.set(LANGUAGE_COOKIE, "zh")
    assert "需要我不具備的知識" in team.open("/team/skipped")


def test_without_skips_the_page_says_so(project: Project) -> None:
    team = project.team()
    assert "No rater has said" in team.open("/team/skipped")
    assert "impossible to judge" not in team.open("/team")


def test_raters_have_their_median_time(project: Project) -> None:
    project.add("pair", *(group(f"p{i}", "x", "y") for i in range(3)))
    mei = project.join()
    for seconds in ("2", "30", "7"):
        mei.open()
        mei.vote(choice="1", seconds=seconds)
    [seen] = seen_raters(project.store)
    assert (seen.rater.name, seen.seconds, seen.gold) == ("Mei", 7.0, (0, 0))
    assert "7 s" in project.team().open("/team/raters")


def test_the_most_divided_item_comes_first() -> None:
    agreed = judged(("Mei", "a"), ("Tom", "a"), prompt="agreed")
    one = judged(("Mei", "a"), ("Tom", "a"), ("Ana", "b"), prompt="one")
    split = judged(("Mei", "a"), ("Tom", "b"), prompt="split")
    found = disputes([agreed, one, split])
    assert [dispute.prompt.id for dispute in found] == ["split", "one"]
    assert found[1].notes == (("2",), ("1",))
    assert found[1].split == pytest.approx(1 / 3)
    assert found[0].reasons == ("says Mei", "says Tom")


def test_ties_are_undecided_and_a_dispute_with_a_side() -> None:
    [found] = disputes([judged(("Mei", "a"), ("Tom", "tie"), ("Ana", "both_bad"))])
    assert found.undecided == 2
    assert found.notes == (("1",), ("0",))


def test_places_of_a_disputed_ranking_count_ties() -> None:
    names = ("p-gpt0", "p-gpt1", "p-gpt2")
    orders = {"Mei": ((names[0], names[1]), (names[2],)), "Tom": tuple((n,) for n in names)}
    votes = tuple(
        Judgment(id=who, prompt_id="p", rater=who, kind="ranking", value=order, completions=names)
        for who, order in orders.items()
    )
    [found] = disputes([group("p", "x", "y", "z").model_copy(update={"judgments": votes})])
    assert found.notes == (("1", "1"), ("1", "2"), ("3", "3"))


def test_a_disputes_page_names_no_rater_and_no_model(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    for name in ("Mei", "Tom"):
        person = project.join(name)
        page = person.open()
        first = page.index(">x<") < page.index(">y<")
        person.vote(choice="1" if first == (name == "Mei") else "2", reason=f"as {name} thinks")
    page = project.team().open("/team/disputes")
    assert page.count("1 for this") == 2
    assert "as Mei thinks" in page
    assert "secret-model" not in page


def test_the_plan_says_how_many_votes_are_missing() -> None:
    """385 prompts of one vote give +-5 points; 2 of 2 votes that always agree count as one."""
    figures = figures_of([judged(("Mei", "a"), prompt="p"), judged(("Mei", "b"), prompt="q")])
    found = plan(figures, 5.0)
    assert (found.need, found.each, found.have, found.more) == (385, 1, 2, 383)


@pytest.mark.parametrize(
    ("estimate", "share", "text"),
    [
        (None, True, "–"),
        (Estimate(value=None), True, "–"),
        (Estimate(value=0.666), True, "67%"),
        (Estimate(value=-0.123), False, "−0.12"),
    ],
)
def test_figures_are_written(estimate: Estimate | None, share: bool, text: str) -> None:
    assert said(estimate, share) == text
    assert ends(estimate, share) is None


def test_the_picture_keeps_its_scale() -> None:
    points = [
        Point(4, Estimate(value=None)),
        Point(8, Estimate(value=0.5, low=0.0, high=1.0)),
        Point(16, Estimate(value=1.0)),
    ]
    found = picture(points)
    assert found is not None
    half, whole = found.marks
    assert (half.x, whole.x) == (332.0, 616.0)
    assert (half.high, half.y, half.low) == (16.0, 110.0, 204.0)
    assert (whole.y, whole.low) == (16.0, None)
    assert [label for _, label in found.lines] == ["0", "0.25", "0.5", "0.75", "1"]


def test_the_picture_goes_below_nought_where_agreement_does() -> None:
    found = picture([Point(8, Estimate(value=-0.2, low=-0.6, high=0.1))])
    assert found is not None
    assert [label for _, label in found.lines] == ["−1", "−0.5", "0", "0.5", "1"]
    assert picture([Point(4, Estimate(value=None))]) is None


def test_a_new_version_of_the_guidelines_is_published(project: Project) -> None:
    team = project.team()
    team.open("/team/guidelines")
    page = team.post("/team/guidelines", text="Be **fair**.\r\n", base="0").text
    assert "<strong>fair</strong>" in page
    found = guidelines(project.store)
    assert (found.version, found.text) == (1, "Be **fair**.")


def test_two_editors_do_not_overwrite_each_other(project: Project) -> None:
    team = project.team()
    team.open("/team/guidelines")
    team.post("/team/guidelines", text="First", base="0")
    late = team.post("/team/guidelines", text="Second", base="0")
    assert late.status_code == 422
    assert "Version 1 was published meanwhile" in late.text
    assert "Second</textarea>" in late.text
    assert guidelines(project.store).text == "First"


@pytest.mark.parametrize("text", ["x" * 60_001, "a\x00b", ""])
def test_guidelines_that_cannot_be_kept_are_refused(project: Project, text: str) -> None:
    team = project.team()
    team.open("/team/guidelines")
    assert team.post("/team/guidelines", text=text, base="0").status_code == 422
    assert guidelines(project.store).version == 0


def test_an_unknown_export_is_not_found(project: Project) -> None:
    team = project.team()
    assert team.client.get("/team/export/spreadsheet").status_code == 404
    assert team.client.get("/team/export/groups?file=exe").status_code == 404
    assert team.client.get("/team/export/groups?file=../x").status_code == 404


def test_votes_are_exported_with_and_without_names(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    team = project.team()
    assert team.client.get("/team/export/trl-preference").status_code == 404
    mei = project.join()
    mei.open()
    mei.vote(choice="1")
    found = team.client.get("/team/export/comparisons")
    assert found.headers["content-disposition"] == 'attachment; filename="comparisons.jsonl"'
    assert "Mei" in found.text
    hidden = team.client.get("/team/export/comparisons?pseudonyms=1").text
    assert hidden.count("\n") == 1
    assert "Mei" not in hidden


@pytest.mark.parametrize("file", ["jsonl", "json", "csv", "parquet"])
def test_every_kind_of_file_is_offered_and_reads_back(
    project: Project, file: str, tmp_path: Path
) -> None:
    if file == "parquet":
        pytest.importorskip("pyarrow")
    project.add("pair", group("p", "x", "y"))
    mei = project.join()
    mei.open()
    mei.vote(choice="1")
    team = project.team()
    address = f"/team/export/trl-preference?file={file}"
    assert f'href="{address}"' in team.open("/team")
    assert f'href="{address}&amp;pseudonyms=1"' in team.open("/team")
    found = team.client.get(address)
    assert found.headers["content-disposition"].endswith(f'"trl-preference.{file}"')
    (tmp_path / f"votes.{file}").write_bytes(found.content)
    groups, _ = read_groups(tmp_path / f"votes.{file}")
    assert {one.text for one in groups[0].completions} == {"x", "y"}
    assert raters_in(tmp_path / f"votes.{file}") == ["Mei"]
    hidden = team.client.get(f"{address}&pseudonyms=1")
    assert hidden.headers["content-type"].startswith(MEDIA[file])
    (tmp_path / f"hidden.{file}").write_bytes(hidden.content)
    assert raters_in(tmp_path / f"hidden.{file}") == ["rater-1"]


MEDIA = {
    "jsonl": "application/jsonl",
    "json": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}


def raters_in(path: Path) -> list[str]:
    """Those of the one row; a CSV cell holds them as JSON."""
    ((row,), _) = raw_rows(path, "train")
    found = row.value["raters"]
    return json.loads(found) if isinstance(found, str) else found


def test_a_team_member_may_also_vote(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    mei = project.join()
    token = links.team_token(SECRET, project.clock())
    assert mei.client.get(f"/join/{token}").headers["location"] == "/team"
    assert "0 of 1 done" in mei.open()
    assert mei.client.get("/team").status_code == 200


def test_of_a_large_project_a_sample_of_prompts_is_worked_out(
    make: Callable[[Settings], Project],
) -> None:
    """4 prompts of 2 votes and at most 4 votes: one prompt in two, and what is known is told."""
    project = make(replace(QUICK, team_votes=4))
    add_groups(project.store, [judged(("Ann", "a"), ("Bo", "b"), prompt=p) for p in "pqrs"])
    page = project.team().open("/team")
    assert "Worked out from 4 votes, those on one prompt in 2" in page
    assert "4 prompts" in page.replace("</b>", "")
    rows = re.findall(r'data-label="Votes">(\d+)<', project.team().open("/team/raters"))
    assert rows == ["4", "4"]


def test_a_sample_holds_one_prompt_in_so_many(project: Project) -> None:
    add_groups(project.store, [judged(("Ann", "a"), prompt=p) for p in "pqrst"])
    assert [one.prompt.id for one in groups(project.store, every=2)] == ["p", "r", "t"]
    assert len(list(groups(project.store))) == 5


def odd_panel(reverse: int) -> list[Group]:
    """Six raters agree on 60 pairs, but for so many who say the reverse."""
    names = [(f"good {i}", "a") for i in range(6)] + [(f"odd {i}", "b") for i in range(reverse)]
    return [judged(*names, prompt=f"p{number}") for number in range(60)]


@pytest.mark.parametrize(
    ("reverse", "lang", "told"),
    [
        (1, "en", "Orders 0% of pairs as the others do (the others: 100%), less often than"),
        (1, "zh", "與其他人一致的配對只占 0%（其他人：100%），比擲硬幣還少。"),
        (2, "zh", "共有 2 位評分者如此，可能是想法不同的一群人。"),
    ],
)
def test_why_somebody_is_odd_is_told_in_the_pages_language(
    project: Project, reverse: int, lang: str, told: str
) -> None:
    add_groups(project.store, odd_panel(reverse))
    team = project.team()
    team.client.cookies.set(LANGUAGE_COOKIE, lang)
    page = team.open("/team/raters")
    assert told in page
    assert page.count("<li><strong>") == reverse


@pytest.mark.parametrize("kind", ["careless", "reversed", "side"])
def test_every_way_of_being_odd_has_its_sentence(kind: str) -> None:
    assert set(get_args(Odd)) == {"", "careless", "reversed", "side"}
    share = Estimate(value=0.25, unit="prompts")
    row = RaterSummary(
        rater="x", judgments=3, reliability=share, first_shown=share, odd=kind, evidence="e"
    )
    other = row.model_copy(update={"rater": "y", "odd": "", "first_shown": Estimate(value=0.5)})
    for lang in LANGUAGES:
        sentence = because(row, [row, other], load_words(lang))
        assert "25%" in sentence
        assert ("50%" in sentence) == (kind == "side")
