"""Joining, consenting, judging, undoing, skipping and withdrawing, without JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from project_fixture import QUICK, SECRET, Person, Project, group, value_of

from suffrage.core.records import Judgment, Message
from suffrage.label import links
from suffrage.label.server import Settings
from suffrage.label.store import durability
from suffrage.label.store.contents import TaskPlan, add_groups, add_tasks, groups
from suffrage.label.store.events import events
from suffrage.label.store.guidelines import write_guidelines
from suffrage.label.store.judgments import draft
from suffrage.label.store.raters import find_rater, invite


def said(project: Project) -> list[Judgment]:
    return [judgment for one in groups(project.store) for judgment in one.judgments]


def shown_ids(project: Project) -> tuple[str, ...]:
    return said(project)[-1].shown


def test_a_visitor_is_told_how_to_get_in(project: Project) -> None:
    answer = project.client().get("/")
    assert answer.status_code == 200
    assert "personal link" in answer.text


def test_a_link_signs_in_and_leads_to_the_work(project: Project) -> None:
    project.add("pair", group("p", "one", "two"))
    mei = project.join()
    assert mei.client.get("/").headers["location"] == "/work"
    assert mei.client.get("/consent").headers["location"] == "/work"
    page = mei.open()
    assert "0 of 1 done" in page
    assert "Request p" in page


def test_nothing_on_the_page_says_who_wrote_an_answer(project: Project) -> None:
    project.add("pair", group("p", "one", "two"))
    page = project.join().open()
    assert "secret-model" not in page
    assert "gpt" not in page


def test_a_page_laid_out_once_holds_nothing_of_who_saw_it_before(project: Project) -> None:
    project.add("pair", group("p", "alpha", "beta"), overlap=1)
    project.add("pair", group("q", "gamma", "delta"), overlap=1)
    first, second = project.join("Mei"), project.join("Ana")
    seen, page = first.open(), second.open()
    assert "alpha" in seen
    assert "gamma" in page
    own = (first.token, first.assignment, value_of(seen, "client_id"), "Request p", "alpha", "beta")
    assert [text for text in own if text in page] == []
    assert second.post(f"/work/{first.assignment}", choice="1").status_code == 404
    project.clock.passes(minutes=5)
    again = first.open()
    assert (first.assignment, "Request p" in again) == (own[1], True)
    assert value_of(again, "opened") == str(int(value_of(seen, "opened")) + 300)


def test_a_text_cannot_call_for_what_a_page_fills_in(project: Project) -> None:
    project.add("pair", group("p", "\x00token\x00", "{{ token }}", prompt="\x00client_id\x00"))
    mei = project.join()
    page = mei.open()
    assert "⟨U+0000⟩token⟨U+0000⟩" in page
    assert "{{ token }}" in page
    assert "⟨U+0000⟩client_id⟨U+0000⟩" in page
    assert "\x00" not in page
    assert mei.open("/work?raw=1").count(mei.token) == page.count(mei.token) == 4


def test_what_a_form_sent_is_escaped_on_its_page_however_long_it_is(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    mei = project.join()
    mei.open()
    for length in (1, 300):  # short texts and long ones are made safe in two ways
        sent = '"><b>' + "x" * length
        answer = mei.post(f"/work/{mei.assignment}/skip", client_id=sent)
        assert answer.status_code == 422
        assert "<b>" not in answer.text
        assert "&#34;&gt;&lt;b&gt;x" in answer.text


@pytest.mark.parametrize(
    ("kind", "texts", "fields", "value"),
    [
        ("pair", ("x", "y"), {"choice": "2", "strength": "3"}, "b"),
        ("pair", ("x", "y"), {"choice": "both_bad"}, "both_bad"),
        ("rating", ("x",), {"choice": "6"}, 6),
        ("grade", ("x",), {"choice": "C"}, "C"),
        ("thumb", ("x",), {"choice": "down"}, "down"),
        ("demonstration", (), {"answer": "Do this."}, "Do this."),
    ],
)
def test_each_kind_is_stored_as_it_was_given(
    project: Project, kind: str, texts: tuple[str, ...], fields: dict[str, str], value: object
) -> None:
    project.add(kind, group("p", *texts), criterion="honest")
    mei = project.join()
    mei.open()
    answer = mei.vote(reason=" because ", **fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/work")
    [judgment] = said(project)
    assert judgment.value == value
    assert judgment.kind == kind
    assert judgment.criterion == "honest"
    assert (judgment.reason, judgment.seconds, judgment.rater) == ("because", 3.5, "Mei")
    assert judgment.strength == (3 if "strength" in fields else None)
    assert "All done" in mei.open()


def test_a_ranking_names_the_answers_by_what_was_on_the_screen(project: Project) -> None:
    project.add("ranking", group("p", "w", "x", "y", "z"))
    mei = project.join()
    mei.open()
    mei.vote(place_1="2", place_2="1", place_3="4", place_4="2")
    one, two, three, four = shown_ids(project)
    assert [set(tied) for tied in said(project)[0].value] == [{two}, {one, four}, {three}]  # type: ignore[union-attr]


def test_an_unchanged_order_is_asked_about_and_then_taken(project: Project) -> None:
    project.add("ranking", group("p", "w", "x", "y"))
    mei = project.join()
    mei.open()
    asked = mei.vote()
    assert asked.status_code == 422
    assert "Is it really your order?" in asked.text
    assert said(project) == []
    mei.page = asked.text
    assert mei.vote(confirmed="1").status_code == 303
    assert said(project)[0].value == tuple((name,) for name in shown_ids(project))


def test_an_incomplete_vote_keeps_what_was_given(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    mei = project.join()
    mei.open()
    answer = mei.vote(reason="half a thought")
    assert answer.status_code == 422
    assert "Choose an answer first." in answer.text
    assert "half a thought</textarea>" in answer.text
    assert value_of(answer.text, "client_id") == value_of(mei.page, "client_id")


def test_the_same_page_sent_twice_is_one_vote(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    mei = project.join()
    mei.open()
    assert mei.vote(choice="1").status_code == 303
    assert mei.vote(choice="1").status_code == 303
    assert len(said(project)) == 1


def test_a_second_tab_is_told_that_the_item_was_judged(project: Project) -> None:
    project.add("pair", group("p", "x", "y"), group("q", "x", "y"))
    mei = project.join()
    first = mei.open()
    second = mei.open()
    assert value_of(first, "client_id") != value_of(second, "client_id")
    mei.vote(choice="1")
    mei.page = first
    answer = mei.vote(choice="2")
    assert answer.headers["location"] == "/work?note=gone"
    assert "already judged in another window" in mei.open("/work?note=gone")
    assert [judgment.value for judgment in said(project)] == ["a"]


def test_scripts_are_told_in_json(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    mei = project.join()
    mei.open()
    mei.client.headers["accept"] = "application/json"
    wrong = mei.vote()
    assert wrong.status_code == 422
    assert wrong.json() == {
        "message": "Choose an answer first.",
        "field": "choice",
        "confirm": False,
    }
    assert mei.vote(choice="1").json() == {"next": "/work"}
    again = mei.client.post(
        f"/work/{mei.assignment}", data=mei.form(choice="1") | {"client_id": "another-page"}
    )
    assert again.status_code == 409


def test_undo_shows_the_vote_again_and_the_next_supersedes_it(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    mei = project.join()
    mei.open()
    mei.vote(choice="2", strength="4", reason="first thought")
    assert mei.post("/undo").headers["location"] == "/work?note=undone"
    page = mei.open("/work?note=undone")
    assert 'value="2" data-key="B" checked' in page
    assert 'name="strength" value="4" data-key="4" checked' in page
    assert "first thought</textarea>" in page
    mei.vote(choice="tie")
    [judgment] = said(project)
    assert judgment.value == "tie"
    assert judgment.supersedes is not None


def test_undo_with_nothing_to_undo_says_so(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    mei = project.join()
    mei.open()
    assert mei.post("/undo").headers["location"] == "/work?note=no_undo"


def test_a_skip_needs_a_reason_and_leads_on(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    mei = project.join()
    mei.open()
    path = f"/work/{mei.assignment}/skip"
    refused = mei.post(path)
    assert refused.status_code == 422
    assert "Choose why it cannot be judged." in refused.text
    assert mei.post(path, why="broken", more="cut off").headers["location"] == "/work?note=skipped"
    assert "All done" in mei.open()
    assert said(project) == []


def test_undo_brings_back_what_was_skipped(project: Project) -> None:
    project.add("pair", group("p", "x", "y"), group("q", "x", "y"))
    mei = project.join()
    mei.open()
    mei.vote(choice="1")
    project.clock.passes(minutes=1)
    mei.open()
    skipped = mei.assignment
    mei.post(f"/work/{skipped}/skip", why="unclear")
    assert "All done" in mei.open()
    assert mei.post("/undo").headers["location"] == "/work?note=unskipped"
    assert "You skipped this; judge it now" in mei.open("/work?note=unskipped")
    assert mei.assignment == skipped
    mei.vote(choice="2")
    assert len(said(project)) == 2


def test_a_session_that_ended_is_told_so(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    mei = project.join()
    mei.open()
    project.clock.passes(days=60)
    assert "Your vote decides" in mei.open("/")
    assert "signed out" not in mei.page
    sent_to = mei.client.get("/work").headers["location"]
    assert "You are signed out here: your link has ended" in mei.open(sent_to)


def test_a_new_invitation_admits_who_withdrew_and_the_old_link_does_not(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    mei = project.join()
    mei.open()
    mei.vote(choice="1")
    mei.open("/account")
    mei.post("/withdraw", agree="1")
    assert mei.rater is not None
    old = links.rater_token(SECRET, mei.rater.id, project.clock())
    refused = project.client().get(f"/join/{old}")
    assert refused.status_code == 410
    assert "ask the person who invited you" in refused.text
    new = links.rater_token(SECRET, invite(project.store, "Mei").id, project.clock())
    client = project.client()
    assert client.get(f"/join/{new}").status_code == 303
    assert "0 of 1 done" in Person(client).open()
    assert said(project) == []


def test_a_draft_is_kept_and_shown_again(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    mei = project.join()
    mei.open()
    path = f"/work/{mei.assignment}/draft"
    assert mei.post(path, choice="1", reason="so far", seconds="9.5").status_code == 204
    assert draft(project.store, mei.assignment) == {
        "choice": "1",
        "reason": "so far",
        "seconds": "9.5",
    }
    page = mei.open()
    assert 'value="1" data-key="A" checked' in page
    assert "so far</textarea>" in page
    assert 'name="seconds" value="9.5"' in page


def test_practice_is_followed_by_what_was_expected(project: Project) -> None:
    known = {"p-gpt0": 2, "p-gpt1": 1}
    add_groups(project.store, [group("p", "good", "bad", expected=known), group("q", "x", "y")])
    add_tasks(project.store, TaskPlan(kind="pair", practice=1))
    mei = project.join()
    page = mei.open()
    assert "for practice" in page
    wrong = "2" if page.index(">good<") < page.index(">bad<") else "1"
    answer = mei.vote(choice=wrong)
    assert answer.headers["location"] == f"/work/{mei.assignment}/feedback"
    feedback = mei.client.get(answer.headers["location"]).text
    assert "differently than expected" in feedback
    assert "A is better" in feedback
    assert "B is better" in feedback
    mei.open()
    ordinary = mei.client.get(f"/work/{mei.assignment}/feedback")
    assert ordinary.status_code == 404


def test_consent_comes_before_the_first_vote(make: Callable[[Settings], Project]) -> None:
    project = make(replace(QUICK, consent="We study **travel**."))
    project.add("pair", group("p", "x", "y"))
    mei = project.join()
    assert mei.client.get("/work").headers["location"] == "/consent"
    page = mei.open("/consent")
    assert "<strong>travel</strong>" in page
    assert mei.post("/consent").status_code == 422
    assert mei.rater is not None
    agreed = find_rater(project.store, mei.rater.id)
    assert agreed is not None
    assert agreed.consented is None
    assert mei.post("/consent", agree="1").headers["location"] == "/work"
    assert "0 of 1 done" in mei.open()


def test_withdrawing_takes_the_votes_out_and_ends_the_session(project: Project) -> None:
    project.add("pair", group("p", "x", "y"), group("q", "x", "y"))
    mei = project.join()
    mei.open()
    mei.vote(choice="1")
    assert "run the export, the agreement and the training again" in mei.open("/account")
    assert mei.post("/withdraw").status_code == 422
    assert len(said(project)) == 1
    assert "Your votes are withdrawn" in mei.post("/withdraw", agree="1").text
    assert said(project) == []
    assert mei.client.get("/work").headers["location"] == "/?note=ended"
    assert [one.kind for one in events(project.store)].count("withdrawn") == 1


def test_signing_out_forgets_the_session(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    mei = project.join()
    mei.open("/account")
    assert mei.post("/leave").headers["location"] == "/"
    assert mei.client.get("/work").headers["location"] == "/?note=ended"


def test_the_language_is_chosen_and_kept(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    mei = project.join()
    mei.open()
    assert mei.post("/language", to="zh", back="/work").headers["location"] == "/work"
    page = mei.open()
    assert '<html lang="zh-Hant">' in page
    assert "哪個回答比較好？" in page
    assert mei.post("/language", to="en", back="https://evil.example").headers["location"] == "/"


def test_a_conversation_is_shown_turn_by_turn(project: Project) -> None:
    turns = (
        Message(role="system", content="Be kind."),
        Message(role="user", content="Hello"),
        Message(role="assistant", content="Hi"),
        Message(role="user", content="And now?"),
    )
    project.add("pair", group("p", "x", "y", prompt=turns))
    page = project.join().open()
    positions = [page.index(turn.content) for turn in turns]
    assert positions == sorted(positions)
    assert page.count('<li class="turn') == 4


def test_guidelines_stand_beside_the_work_in_their_version(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    write_guidelines(project.store, "Old", "team")
    mei = project.join()
    assert "Version 1" in mei.open()
    write_guidelines(project.store, "Prefer **short** answers.", "team")
    for path in ("/work", "/guidelines"):
        page = mei.open(path)
        assert "Version 2" in page
        assert "Prefer <strong>short</strong> answers." in page


@pytest.mark.parametrize("criterion", ["helpful", "Is <it> brief?"])
def test_the_question_names_the_criterion(project: Project, criterion: str) -> None:
    project.add("rating", group("p", "x"), criterion=criterion)
    page = project.join().open()
    wanted = {"helpful": "criterion: Helpful."}.get(criterion, "Is &lt;it&gt; brief?")
    assert wanted in page


def test_health_answers_without_a_session(project: Project) -> None:
    answer = project.client().get("/health")
    assert answer.json() == {"ok": True}


@pytest.mark.parametrize("path", ["/", "/help", "/language"])
def test_public_pages_need_no_session(project: Project, path: str) -> None:
    assert project.client().get(path).status_code == 200


def test_a_vote_that_does_not_reach_the_disk_is_not_acknowledged(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.add("pair", group("p", "one", "two"), group("q", "one", "two"))
    mei = project.join()
    mei.open()
    with monkeypatch.context() as patch:
        patch.setattr(durability.os, "fsync", broken)
        with pytest.raises(OSError, match="disk full"):
            mei.vote(choice="1")
    assert mei.vote(choice="1").headers["location"] == "/work"  # sent again, it is one vote
    assert len(said(project)) == 1


def broken(_: int) -> None:
    raise OSError("disk full")
