"""`suffrage rank`: its example, its tables, and what it refuses."""

from __future__ import annotations

import csv
import json

import pytest


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, *lines: str) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_example_shows_that_mean_and_maxmin_differ(suffrage, place, lang):
    assert suffrage(f"rank --example v.csv --lang {lang}").status == 0
    rows = list(csv.DictReader((place / "v.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 480
    assert {row["group"] for row in rows} == {"fans", "critics", "moderates", "editors"}
    status, out, err = suffrage("rank v.csv --by group --rounds 100")
    assert (status, err) == (0, "")
    assert "best on average: supporter" in out
    assert "best for the least happy group (MaxMin): both-sides" in out
    said = json.loads(suffrage("rank v.csv --by group --rounds 100 --json").out)
    assert [board["group"] for board in said["rankings"]] == sorted({r["group"] for r in rows})


def test_a_table_of_verdicts_is_ranked_and_written(suffrage, place):
    lines = ["x,y,a", "y,x,b", "x,y,tie", "y,x,b", "x,z,a", "z,y,b", "z,x,tie", "z,y,a"]
    write(place / "v.csv", "model_a,model_b,winner", *lines)
    status, out, _ = suffrage("rank v.csv --out r.json")
    assert status == 0
    assert "8 comparisons" in out
    found = json.loads((place / "r.json").read_text(encoding="utf-8"))
    assert found["result"] == "ranking"
    line = found["rankings"][0]["items"][0]
    assert line["item"] == "x"
    assert line["win_rate"]["value"] == pytest.approx(5 / 6)
    assert line["win_rate"]["unit"] == "comparisons"  # no prompts named
    assert suffrage("rank v.csv --out r.json").status == 2
    assert suffrage("rank v.csv --out r.json --overwrite").status == 0
    assert suffrage("report r.json --out page.html").status == 0
    assert "8 comparisons of" in (place / "page.html").read_text(encoding="utf-8")


def test_groups_with_judgments_are_ranked_by_source(suffrage, place):
    def group(prompt: str, value: str) -> str:
        completions = [
            {"id": name, "prompt_id": prompt, "text": name, "source": source}
            for name, source in (("c1", "紅樓"), ("c2", "tin"))
        ]
        vote = {"id": "v", "prompt_id": prompt, "rater": "Ann", "kind": "pair", "value": value}
        vote |= {"completions": ["c1", "c2"], "shown": ["c2", "c1"]}
        asked = {"id": prompt, "content": "?"}
        return json.dumps({"prompt": asked, "completions": completions, "judgments": [vote]})

    write(place / "g.jsonl", *(group(f"p{i}", value) for i, value in enumerate("aabaa")))
    out = suffrage("rank g.jsonl --side").out
    assert "紅樓" in out
    assert "of two equals the one shown first wins" in out


def test_raters_columns_can_split(suffrage, place):
    write(place / "v.csv", "a,b,winner,rater", "x,y,a,Ann", "x,y,b,Bob", "y,x,b,Ann", "x,y,b,Bob")
    write(place / "r.csv", "rater,team", "Ann,red", "Bob,blue")
    out = suffrage("rank v.csv --by team --raters r.csv").out
    assert "team blue: 2 comparisons" in out
    assert "team red: 2 comparisons" in out
    assert "rater Ann: 2" in suffrage("rank v.csv --by rater --raters r.csv").out
    assert "winner b: 3" in suffrage("rank v.csv --by winner --raters r.csv").out
    write(place / "r.csv", "rater,team", "Ann,red")
    assert "lacks the rater 'Bob'" in suffrage("rank v.csv --by team --raters r.csv").err


def test_camps_are_found_and_ranked(suffrage, place):
    suffrage("rank --example v.csv")
    status, out, _ = suffrage("rank v.csv --camps 2 --rounds 50")
    assert status == 0
    fans, critics = ([f"{name}-{i}" for i in (1, 2, 3)] for name in ("fans", "critics"))
    lines = [line for line in out.splitlines() if line.startswith("camp ") and "-1" in line]
    camps = dict(line.split(": ") for line in lines)
    by_rater = {name: camp for camp, names in camps.items() for name in names.split(", ")}
    assert len({by_rater[name] for name in fans}) == 1
    assert len({by_rater[name] for name in critics}) == 1
    assert by_rater["fans-1"] != by_rater["critics-1"]
    assert "camp 2: " in out
    assert "(MaxMin)" in out


@pytest.mark.slow
def test_the_number_of_camps_is_told_with_its_reason(suffrage, place):
    suffrage("rank --example v.csv")
    said = json.loads(suffrage("rank v.csv --camps auto --rounds 50 --json").out)
    assert len(said["camps"]) >= 2
    assert said["camp_gains"]["2"]["value"] > 0
    assert said["camp_gains"]["2"]["low"] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rank", "needs a file of comparisons"),
        ("rank nowhere.csv", "no such file"),
        ("rank bad.csv", r"bad.csv, row 3: winner 'z' is neither a, b, tie, 'x' nor 'y'; correct"),
        ("rank short.csv", "row 3: lacks a, b or winner"),
        ("rank first.csv", "first.csv, row 2: lacks a, b or winner, which other rows have"),
        ("rank v.csv --by tema", "there is no column 'tema' to split by"),
        ("rank v.csv --ridge -1", "--ridge is -1; it cannot be negative"),
        ("rank v.csv --ridge 0", "use a ridge"),
        ("rank v.csv --raters bad.csv", "names no rater"),
        ("rank v.csv --method elo", "invalid choice"),
        ("rank v.csv --camps 2", "camps need comparisons by two or more raters"),
        ("rank v.csv --camps two", "'two' is no whole number"),
        ("rank v.csv --camps 2 --by team", "--by and --camps both split"),
        ("rank v.csv --rounds 1", "1 is less than 2"),
        ("rank v.csv --out v.csv", "is what this command reads"),
        ("rank --example v.csv", "v.csv exists; pass --overwrite"),
    ],
)
def test_mistakes_are_one_sentence(suffrage, place, words, said):
    write(place / "v.csv", "a,b,winner,team", "x,y,a,red", "x,y,a,blue")
    write(place / "bad.csv", "a,b,winner", "x,y,a", "x,y,z")
    write(place / "first.csv", "a,b,winner", "x,y,", "x,y,a")
    write(place / "short.csv", "a,b,winner", "x,y,a", "x,,b")
    status, out, err = suffrage(words)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_name_that_looks_like_markup_is_shown_as_it_is(suffrage, place):
    write(place / "v.csv", "a,b,winner", "[red]x[/red],y\x1b[2J,a", "y\x1b[2J,[red]x[/red],a")
    out = suffrage("rank v.csv").out
    assert "[red]x[/red]" in out
    assert "\x1b" not in out


def test_votes_on_answers_of_one_source_say_why_they_rank_nothing(suffrage, place):
    answers = [{"id": k, "prompt_id": "p", "text": k, "source": "world"} for k in "xy"]
    vote = {"id": "v", "prompt_id": "p", "rater": "Ann", "kind": "pair", "value": "a"}
    vote |= {"completions": ["x", "y"]}
    asked = {"id": "p", "content": "?"}
    group = {"prompt": asked, "completions": answers, "judgments": [vote]}
    write(place / "g.jsonl", json.dumps(group))
    status, _, err = suffrage("rank g.jsonl")
    assert status == 2
    assert "g.jsonl: compares only completions with the same `source` ('world')" in err
    for one in answers:
        one["source"] = " "
    write(place / "g.jsonl", json.dumps(group))
    assert (
        "does not say what made it; give every completion a `source`"
        in suffrage("rank g.jsonl").err
    )
