"""`suffrage label`: from an empty folder to votes that training reads, and what it refuses."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http.cookiejar import CookieJar

import pytest

from suffrage.cli.label import VERBS
from suffrage.cli.label import serve as serving
from suffrage.label.queue import next_work
from suffrage.label.store.database import open_store
from suffrage.label.store.judgments import Vote, skip, submit
from suffrage.label.store.raters import invite, raters, withdraw


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def project(suffrage, place):
    """A project on three prompts with two answers each, every pair for two raters."""
    rows = [
        {
            "prompt": {"id": f"p{i}", "content": f"question {i}?"},
            "completions": [
                {"id": f"p{i}{name}", "prompt_id": f"p{i}", "text": f"{name} 很好 {i}"}
                for name in "ab"
            ],
        }
        for i in range(3)
    ]
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    (place / "groups.jsonl").write_text("\n".join(lines), encoding="utf-8")
    said = suffrage("label import groups.jsonl --overlap 2")
    assert said.status == 0, said.err
    assert "label.db: 3 groups and 3 items added" in said.out
    return place


def simulate(place, suffrage, *more: str):
    """Votes by raters for whom an answer is worth its first letter's place."""
    code = "def worth(group, completion, rater):\n    return 5 * (completion.text[0] == 'a')\n"
    (place / "taste.py").write_text(code, encoding="utf-8")
    return suffrage("label", "simulate", "--utility", "taste:worth", *more)


def test_votes_go_from_the_page_to_the_trainers_format(suffrage, project):
    said = simulate(project, suffrage, "--truth", "truth.json")
    assert (said.status, said.out) == (0, "6 votes by 11 simulated raters\n")
    assert len(json.loads((project / "truth.json").read_text())["raters"]) == 11
    status = suffrage("label status")
    assert "6 of 6 votes, 3 of 3 items finished" in status.out
    told = json.loads(suffrage("label status --json").out)
    assert (told["votes"], sum(row["votes"] for row in told["raters"])) == (6, 6)
    assert suffrage("label export --out feedback.jsonl").status == 0
    assert suffrage("agree feedback.jsonl --consensus preferences.jsonl").status == 0
    learned = (project / "preferences.jsonl").read_text(encoding="utf-8").splitlines()
    assert all(json.loads(line)["preference"]["pairs"] for line in learned)
    assert len(learned) == 3


def test_the_rules_of_work_are_told_and_changed_one_by_one(suffrage, project):
    assert "choice           even" in suffrage("label rules").out
    said = suffrage("label rules --choice active --per-hour 2 --paused yes --json")
    assert json.loads(said.out)["choice"] == "active"
    assert simulate(project, suffrage).out.startswith("0 votes")  # nothing is given out
    told = json.loads(suffrage("label rules --paused no --per-hour 0 --json").out)
    assert (told["paused"], told["per_hour"], told["choice"]) == (False, None, "active")
    assert simulate(project, suffrage).out.startswith("6 votes")
    refused = suffrage("label rules --lease-seconds 0")
    assert (refused.status, refused.err.count("\n")) == (2, 1)


def test_an_export_is_not_written_over_unasked(suffrage, project):
    assert suffrage("label export --out f.jsonl").status == 0
    refused = suffrage("label export --out f.jsonl")
    assert refused.status == 2
    assert "f.jsonl" in refused.err
    assert suffrage("label export --out f.jsonl --overwrite").status == 0


def test_the_same_name_gets_a_link_to_the_same_rater(suffrage, project):
    links = json.loads(suffrage("label invite Ana 小明 --team --json").out)
    assert list(links) == ["Ana", "小明", "(the team)"]
    assert all(link.startswith("http://127.0.0.1:8000/join/") for link in links.values())
    suffrage("label invite Ana")
    told = json.loads(suffrage("label status --json").out)
    assert [row["name"] for row in told["raters"]] == ["Ana", "小明"]


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself(suffrage, verb):
    with pytest.raises(SystemExit) as ended:
        suffrage(f"label {verb} --help")
    assert ended.value.code == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("label srve", "suffrage label has no verb 'srve'; did you mean 'serve'"),
        ("label status", "there is no project label.db"),
        ("label invite Ana --db none.db", "there is no project none.db"),
        ("label import nothing.jsonl", "nothing.jsonl"),
        ("label serve --data nothing.jsonl", "nothing.jsonl"),
        ("label serve --consent nothing.md", "nothing.md cannot be read"),
        ("label serve --kind stars", "stars"),
        ("label serve --third-on-conflict --overlap 2", "3; see `suffrage label serve --help`"),
        ("label import g.jsonl --third-on-conflict --overlap 2", "`suffrage label import --help`"),
        ("label status --db mysql://x/y", "no address of a labelling project"),
        ("label status --db taken.txt", "taken.txt"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(suffrage, place, line, said):
    (place / "taken.txt").write_text("a shopping list, and no database at all\n" * 40)
    status, out, err = suffrage(line)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_simulated_raters_need_to_know_what_is_good(suffrage, project):
    status, _, err = suffrage("label simulate")
    assert status == 2
    assert "--utility MODULE:FUNCTION" in err
    assert suffrage("label simulate --utility nowhere:at_all").status == 2


@pytest.mark.parametrize("kind", ["pair", "demonstration"])
def test_alone_it_opens_on_the_embedded_world(suffrage, place, monkeypatch, kind):
    served = []
    monkeypatch.setattr(serving, "serve", lambda *given: served.append(given))
    monkeypatch.setattr(serving, "_check_free", lambda host, port: None)
    told = json.loads(suffrage(f"label serve --lang zh --kind {kind} --json --port 8765").out)
    assert served[0][1:3] == ("127.0.0.1", 8765)
    assert told["to_vote"].startswith("http://127.0.0.1:8765/join/")
    items = json.loads(suffrage("label status --json").out)["items"]
    assert items == {"pair": 50 * 6, "demonstration": 50}[kind]
    links = json.loads(suffrage("label invite Ana --json").out)
    assert links["Ana"].startswith("http://127.0.0.1:8765/join/")  # where it was served
    again = suffrage("label serve --host 0.0.0.0")
    assert f"{items} items to judge" in again.out
    assert "Everyone who reaches this machine" in again.out


def test_a_port_that_is_taken_is_said_before_anything_is_made(suffrage, place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        status, out, err = suffrage(f"label serve --port {taken.getsockname()[1]}")
    assert (status, out) == (2, "")
    assert "--port" in err
    assert list(place.iterdir()) == []


def test_the_link_it_prints_opens_the_page_and_an_interrupt_ends_it(place):
    words = [sys.executable, "-m", "suffrage", "label", "serve", "--lang", "en"]
    words += ["--port", str(_free_port())]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        lines = []
        while not (lines and lines[-1].startswith("Ctrl-C")):
            lines.append(process.stdout.readline())
            assert lines[-1], process.communicate()[1]
        found = re.search(r"^vote +(\S+)$", "".join(lines), re.MULTILINE)
        assert found
        page = _open(found[1])
        assert "Which answer is better?" in page
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


def _open(link: str) -> str:
    """The page behind a link, as a browser with cookies gets it, once it is there."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    for _ in range(100):
        try:
            with opener.open(link) as answer:
                return str(answer.read().decode())
        except (ConnectionError, urllib.error.URLError):
            time.sleep(0.1)
    raise AssertionError("the server did not start")


def test_a_wrong_name_leaves_no_project_behind(suffrage, place):
    for words in (["serve", "--data", "missing.json"], ["import", "missing.json"]):
        code, _, err = suffrage("label", *words, "--db", "new.db")
        assert code == 2
        assert "missing.json" in err
    assert not (place / "new.db").exists()


def write_lines(path, *rows: object) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def rows_of(path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_pairs_without_raters_go_in_and_come_out_for_training(suffrage, place):
    row = {"prompt": "why?", "chosen": "light", "rejected": "the sea"}
    write_lines(place / "pairs.jsonl", row)
    said = suffrage("label import pairs.jsonl")
    assert said.status == 0
    assert "1 prompts have a preference that names no rater" in said.out
    assert "as long as nobody has judged" in said.out
    assert suffrage("label export --format trl-preference --out out.jsonl").status == 0
    (found,) = rows_of(place / "out.jsonl")
    assert {name: found[name] for name in row} == row
    assert (found["vote_share"], found["votes_for"], found["raters"]) == (1.0, 0, [])
    simulate(place, suffrage)  # by whose taste both answers are as good
    assert suffrage("label export --out judged.jsonl").status == 0
    (group,) = rows_of(place / "judged.jsonl")
    assert len(group["judgments"]) == 3
    assert "preference" not in group


def test_a_consensus_comes_out_of_a_project_as_it_went_in(suffrage, project):
    simulate(project, suffrage)
    suffrage("label export --out feedback.jsonl")
    suffrage("agree feedback.jsonl --consensus preferences.jsonl")
    for row in (rows := rows_of(project / "preferences.jsonl")):
        row.pop("judgments", None)
    write_lines(project / "preferences.jsonl", *rows)
    assert suffrage("label import preferences.jsonl --db new.db").status == 0
    assert suffrage("label export --db new.db --out again.jsonl").status == 0
    assert rows_of(project / "again.jsonl") == rows
    assert all(row["preference"]["pairs"] for row in rows)


def test_what_no_item_can_be_made_of_is_said_before_anything_is_stored(suffrage, place):
    answer = {"id": "c", "prompt_id": "p", "text": "one"}
    vote = {"id": "v", "prompt_id": "p", "rater": "Ann", "kind": "rating", "value": 5}
    vote |= {"completions": ["c"]}
    asked = {"id": "p", "content": "?"}
    write_lines(
        place / "rated.jsonl", {"prompt": asked, "completions": [answer], "judgments": [vote]}
    )
    status, out, err = suffrage("label import rated.jsonl")
    assert (status, out) == (2, "")
    assert "a pair needs; pass --kind rating or grade or thumb or demonstration, or --only" in err
    assert [path.name for path in place.iterdir()] == ["rated.jsonl"]
    assert "1 groups and 1 items" in suffrage("label import rated.jsonl --kind rating").out
    assert "0 groups and 0 items" in suffrage("label import rated.jsonl --only-data").out
    served = suffrage(f"label serve --data rated.jsonl --db other.db --port {_free_port()}")
    assert served.status == 2
    assert served.err.endswith("pass --kind rating or grade or thumb or demonstration.\n")


def test_a_second_file_that_is_refused_leaves_nothing_of_the_first(suffrage, project):
    for name, text in (("q9", "new"), ("p0", "changed")):
        answers = [{"id": f"{name}{k}", "prompt_id": name, "text": text + k} for k in "ab"]
        group = {"prompt": {"id": name, "content": name}, "completions": answers}
        write_lines(project / f"{name}.jsonl", group)
    assert suffrage("label import q9.jsonl p0.jsonl").status == 2
    assert suffrage("label export --out all.jsonl").status == 0
    assert [row["prompt"]["id"] for row in rows_of(project / "all.jsonl")] == ["p0", "p1", "p2"]


@pytest.fixture
def unserved(monkeypatch):
    monkeypatch.setattr(serving, "serve", lambda *given: None)
    monkeypatch.setattr(serving, "_check_free", lambda host, port: None)


@pytest.mark.parametrize(
    "line", ["--practice 3 --gold .1 --kind ranking", "--third-on-conflict --overlap 2"]
)
def test_a_plan_that_is_refused_leaves_no_project_behind(suffrage, place, unserved, line):
    status, _, err = suffrage(f"label serve --db pg.db --lang en {line}")
    assert (status, err.count("\n")) == (2, 1)
    assert list(place.iterdir()) == []
    assert "300 items" in suffrage("label serve --db pg.db --lang en").out


def test_a_plan_that_is_refused_adds_nothing_to_a_project_that_is_there(
    suffrage, project, unserved
):
    row = {"prompt": {"id": "new", "content": "?"}, "completions": []}
    row["completions"] = [{"id": f"n{i}", "prompt_id": "new", "text": str(i)} for i in range(2)]
    (project / "more.jsonl").write_text(json.dumps(row))
    assert suffrage("label serve --data more.jsonl --practice 3").status == 2
    suffrage("label export --out all.jsonl")
    assert '"new"' not in (project / "all.jsonl").read_text()
    assert suffrage("label serve --data more.jsonl").status == 0
    assert json.loads(suffrage("label status --json").out)["items"] == 4


def test_options_that_say_what_is_made_of_data_are_not_ignored_in_silence(
    suffrage, project, unserved
):
    said = suffrage("label serve --kind ranking --overlap=5 --port 8765").out
    assert said.startswith("--kind, --overlap ignored: label.db has its items already; ")
    assert "suffrage label rules" in said.splitlines()[0]
    told = json.loads(suffrage("label serve --kind pair --lang zh --json").out)
    assert told["ignored"] == ["--kind", "--lang"]  # also those that name the default
    assert "ignored" not in suffrage("label serve --port 8765").out
    assert "ignored" not in suffrage("label serve --data groups.jsonl --kind ranking").out


def test_inviting_who_withdrew_admits_them_anew(suffrage, project):
    suffrage("label invite Ana")
    store = open_store(project / "label.db")
    [ana] = raters(store)
    withdraw(store, ana.id)
    said = suffrage("label invite Ana Bob").out.splitlines()
    assert len(said) == 3
    assert said[2].startswith("Ana withdrew on ")
    assert "stay out" in said[2]
    names = {rater.name: rater.withdrawn for rater in raters(store)}
    assert (names["Ana"], names["Ana (withdrawn)"] is not None) == (None, True)
    assert "withdrew on" not in suffrage("label invite Ana").out
    store.close()


def judge_two_and_skip_one(store, name, likes):
    """Votes for the completion that begins with `likes[prompt]`; what it lacks is skipped."""
    rater = invite(store, name).id
    for place in range(3):
        work = next_work(store, rater)
        first = work.completions[0].text[0]
        if work.prompt.id in likes:
            value = "a" if first == likes[work.prompt.id] else "b"
            submit(store, rater, Vote(work.assignment, f"{name} {place}", value))
        else:
            skip(store, rater, work.assignment, f"other: \x1b[2J says {name}")


def test_the_status_tells_agreement_disputes_and_what_cannot_be_judged(suffrage, project):
    """Nominal alpha of (a, a) and (a, b), each pair read both ways: 1 - (2/4) / (8/12) = .25."""
    assert "agreement: alpha not known yet, 0 items in dispute" in suffrage("label status").out
    store = open_store(project / "label.db")
    judge_two_and_skip_one(store, "Ana", {"p0": "a", "p1": "a"})
    judge_two_and_skip_one(store, "Bob", {"p0": "a", "p1": "b"})
    store.close()
    out = suffrage("label status").out
    assert "agreement: alpha 0.25" in out
    assert ", 1 items in dispute\n" in out
    assert "1 items skipped as impossible to judge, by Ana 1, Bob 1:" in out
    assert "  p2 (pair, 0 of 2 votes)\n" in out
    assert "    Ana: other: \N{REPLACEMENT CHARACTER}[2J says Ana\n" in out
    told = json.loads(suffrage("label status --json").out)
    assert (told["in_dispute"], told["one_prompt_in"]) == (1, 1)
    assert told["agreement"]["value"] == pytest.approx(0.25)
    assert (told["skipped"]["items"], told["skipped"]["times"]) == (1, 2)
    assert [row["skips"] for row in told["raters"]] == [1, 1]


def test_an_export_tells_what_was_skipped_and_by_whom(suffrage, project):
    store = open_store(project / "label.db")
    judge_two_and_skip_one(store, "Ana", {"p0": "a", "p1": "a"})
    store.close()
    out = suffrage("label export --out all.jsonl").out
    assert "1 items skipped as impossible to judge, by Ana 1; `suffrage label status`" in out
    told = json.loads(suffrage("label export --out again.jsonl --json").out)
    assert told["skipped"] == {"items": 1, "times": 1, "by": {"Ana": 1}}
    hidden = suffrage("label export --out hidden.jsonl --pseudonyms").out
    assert "1 items skipped as impossible to judge; `suffrage label status`" in hidden
    hidden = suffrage("label export --out without.jsonl --pseudonyms --json").out
    assert json.loads(hidden)["skipped"] == {"items": 1, "times": 1}
