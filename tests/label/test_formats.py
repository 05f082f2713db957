"""What is exported is read back as it was, names nobody, and leaks no prompt."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suffrage.core.errors import DataError, RunError, SettingsError
from suffrage.core.records import Completion, Group, Judgment, Message, Preference, Prompt
from suffrage.data.preferences import consensus
from suffrage.data.read import read_groups
from suffrage.label.formats import FORMATS, LeftOut, export
from suffrage.stats.comparison_rows import entry_of_row

GROUP_FILES = ("g.jsonl", "g.jsonl.gz", "g.json", "g.json.gz", "g.csv", "g.csv.gz", "g.parquet")


def judgment(number: int, rater: str, kind: str, value: Any, *judged: str, **more: Any) -> Judgment:
    return Judgment.from_json(
        {
            "id": f"{rater}-{number}",
            "prompt_id": "p1",
            "rater": rater,
            "kind": kind,
            "value": value,
            "completions": list(judged),
            **more,
        }
    )


def make_group(*judgments: Judgment, name: str = "p1", words: Any = "Say hello.") -> Group:
    texts = {"x": "Hello, 你好!\n", "y": 'He said "what?"', "z": "=1+1"}
    return Group(
        prompt=Prompt(id=name, content=words),
        completions=tuple(
            Completion(id=key, prompt_id=name, text=text, source=f"model-{key}")
            for key, text in texts.items()
        ),
        judgments=tuple(one.model_copy(update={"prompt_id": name}) for one in judgments),
    )


THREE_TO_ONE = (
    judgment(1, "Mei", "pair", "a", "x", "y", shown=["y", "x"]),
    judgment(1, "Tom", "pair", "a", "x", "y"),
    judgment(1, "Ana", "pair", "tie", "x", "y"),
    judgment(1, "Bo", "pair", "b", "x", "y"),
    judgment(1, "Mei", "ranking", [["z"], ["x"]], "z", "x"),
)


def rows_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_pair_has_its_vote_share_counts_and_raters(tmp_path):
    report = export([make_group(*THREE_TO_ONE)], tmp_path / "o.jsonl", "trl-preference")
    first, second = rows_of(tmp_path / "o.jsonl")
    assert first["chosen"] == "Hello, 你好!\n"
    assert first["vote_share"] == 2.5 / 4
    assert [first[f"votes_{one}"] for one in ("for", "tied", "against")] == [2, 1, 1]
    assert first["raters"] == ["Mei", "Tom", "Ana", "Bo"]
    assert (second["chosen_id"], second["rejected_id"], second["raters"]) == ("z", "x", ["Mei"])
    assert (first["weight"], second["weight"]) == (4 / 2.5, 1 / 2.5)  # votes over their mean
    read, _ = read_groups(tmp_path / "o.jsonl")
    assert [group.preference.weight for group in read] == [1.6, 0.4]
    assert report.files == {tmp_path / "o.jsonl": 2}


@pytest.mark.parametrize("name", ["o.jsonl", "o.csv", "o.parquet"])
def test_a_pair_keeps_how_strongly_it_was_preferred(tmp_path, name):
    group = make_group(
        judgment(1, "Mei", "pair", "a", "x", "y"),
        judgment(2, "Mei", "pair", "a", "x", "z", strength=3),
        judgment(2, "Tom", "pair", "a", "x", "z", strength=2),
    )
    export([group], tmp_path / name, "trl-preference")
    read, report = read_groups(tmp_path / name)
    assert not report.refused
    assert [one.preference.pairs[0].strength for one in read] == [None, pytest.approx(0.5)]


def test_even_votes_and_what_gives_no_pair_are_left_out_and_said(tmp_path):
    even = make_group(
        judgment(1, "Mei", "pair", "tie", "x", "y"), judgment(2, "Mei", "pair", "a", "x", "z")
    )
    all_even = make_group(judgment(1, "Mei", "pair", "tie", "x", "y"), name="p2")
    silent = make_group(name="p3")
    wrote = make_group(judgment(1, "Mei", "demonstration", "Good day."), name="p4")
    report = export([even, all_even, silent, wrote], tmp_path / "o.json", "trl-preference")
    why = "the votes on a pair are even, and TRL knows no tie"
    assert report.rows_left_out == (LeftOut("p1", why),)
    assert report.left_out == (
        LeftOut("p2", why),
        LeftOut("p3", "holds neither a judgment nor a preference"),
        LeftOut("p4", "gives no pairs: it holds demonstrations only"),
    )
    assert "1 rows of trl-preference" in str(report)
    assert f"1 groups left out: {why}" in str(report)


def test_a_label_has_the_share_of_the_raters_who_find_it_desirable(tmp_path):
    group = make_group(
        judgment(1, "Mei", "thumb", "up", "x"),
        judgment(1, "Tom", "thumb", "up", "x"),
        judgment(1, "Ana", "thumb", "down", "x"),
        judgment(2, "Ana", "thumb", "down", "y"),
    )
    export([group], tmp_path / "o.jsonl", "trl-unpaired")
    x, y = rows_of(tmp_path / "o.jsonl")
    assert (x["label"], x["votes_for"], x["votes_against"]) == (True, 2, 1)
    assert x["vote_share"] == 2 / 3
    assert x["raters"] == ["Mei", "Tom", "Ana"]
    assert (y["label"], y["vote_share"], y["completion_id"]) == (False, 0.0, "y")


def test_a_ranking_keeps_ties_shares_and_weights(tmp_path):
    group = make_group(
        judgment(1, "Mei", "ranking", [["x", "y"], ["z"]], "x", "y", "z"),
        judgment(1, "Tom", "pair", "b", "x", "z"),
    )
    for name in ("o.jsonl", "o.csv", "o.parquet"):
        export([group], tmp_path / name, "trl-ranking")
        ((read,), report) = read_groups(tmp_path / name)
        expected = consensus(group).preference
        assert report.format == "ranked groups"
        assert read.preference is not None
        assert read.preference.pairs == expected.pairs
        assert {pair.weight for pair in expected.pairs} == {0.75, 1.5}  # of 1, 1 and 2 votes
        assert read.preference.ranks == expected.ranks == (2.0, 1.0, 3.0)
        assert read.prompt.id == "p1"


def test_comparisons_are_votes_in_the_order_shown(tmp_path):
    export([make_group(*THREE_TO_ONE)], tmp_path / "o.jsonl", "comparisons")
    rows = rows_of(tmp_path / "o.jsonl")
    first = rows[0]
    assert (first["a"], first["b"], first["winner"]) == ("model-y", "model-x", "model-x")
    assert (first["order"], rows[1]["order"], first["rater"]) == ("shown", "unknown", "Mei")
    by_rater = {row["rater"]: entry_of_row(row).matches[0].result for row in rows[:4]}
    assert by_rater == {"Mei": 0.0, "Tom": 1.0, "Ana": 0.5, "Bo": 0.0}


@pytest.mark.parametrize("name", GROUP_FILES)
def test_groups_come_back_equal_from_every_container(tmp_path, name):
    talk = (Message(role="system", content="Be brief."), Message(role="user", content="=SUM(A1)"))
    groups = [
        make_group(*THREE_TO_ONE),
        make_group(judgment(1, "", "rating", 5, "x", seconds=0.1, reason="a,b\r\n"), name="p2"),
        Group(prompt=Prompt(id="p3", content=talk, meta={"deep": {"list": [1, None, "é"]}})),
        make_group(name="p4").model_copy(update={"preference": Preference(ranks=(1, 2.5, 2.5))}),
    ]
    export(groups, tmp_path / name, "groups")
    found, report = read_groups(tmp_path / name)
    assert found == groups
    assert report.format == "Suffrage groups"


def test_compressed_files_are_the_same_on_every_day(tmp_path):
    for name in ("a.csv.gz", "b.csv.gz"):
        export([make_group(*THREE_TO_ONE)], tmp_path / name, "trl-preference")
    first, second = ((tmp_path / name).read_bytes() for name in ("a.csv.gz", "b.csv.gz"))
    assert first == second
    header = gzip.decompress(first).decode().splitlines()[0]
    assert header.startswith("prompt,chosen,rejected,vote_share,")


def test_csv_cells_hold_the_text_as_it_is(tmp_path):
    export([make_group(*THREE_TO_ONE)], tmp_path / "o.csv", "trl-preference")
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[1]["chosen"] == "=1+1"  # nothing is put before it: training reads these cells


def test_a_text_that_csv_would_give_back_as_messages_is_left_out(tmp_path):
    words = '[{"role": "user", "content": "hi"}]'
    pair = judgment(1, "Mei", "pair", "a", "x", "y")
    odd, plain = make_group(pair, words=words), make_group(pair, name="p2")
    report = export([odd, plain], tmp_path / "o.csv", "trl-preference")
    assert report.left_out == (
        LeftOut("p1", "would not be read back as it is; export it to .jsonl"),
    )
    lines = export([odd, plain], tmp_path / "o.jsonl", "trl-preference")
    assert lines.files == {tmp_path / "o.jsonl": 2}
    assert read_groups(tmp_path / "o.jsonl")[0][0].prompt.content == words


def test_rows_the_reader_would_refuse_are_left_out_with_its_reason(tmp_path):
    pair = judgment(1, "Mei", "pair", "a", "x", "y")
    empty = make_group(pair, words=" ")
    report = export([empty, make_group(pair, name="p2")], tmp_path / "o.jsonl", "trl-preference")
    assert report.left_out == (LeftOut("p1", "the prompt is empty"),)


def test_a_conversation_the_reader_would_shorten_is_left_out(tmp_path):
    talk = (Message(role="system", content=" "), Message(role="user", content="hi"))
    pair = judgment(1, "Mei", "pair", "a", "x", "y")
    groups = [make_group(pair, words=talk), make_group(pair, name="p2")]
    report = export(groups, tmp_path / "o.jsonl", "trl-preference")
    assert [one.prompt_id for one in report.left_out] == ["p1"]
    assert "not be read back" in report.left_out[0].reason


# Round trips of anything people write.

TEXT = st.text(
    st.characters(codec="utf-8") | st.sampled_from('",\n\r\t;=+-@你好，。\u2028\ufeff[{'),
    max_size=14,
)
WORDS = TEXT.filter(lambda text: bool(text.strip()))
CONVERSATION = st.lists(
    st.builds(Message, role=st.sampled_from(["user", "assistant", "tool"]), content=WORDS),
    max_size=2,
).map(lambda turns: (*turns, Message(role="user", content="最後")))


@st.composite
def judged_groups(draw: st.DrawFn, name: str, talk: bool) -> Group:
    texts = draw(st.lists(WORDS, min_size=2, max_size=3, unique_by=lambda text: text.strip()))
    ids = [f"{name}-{place}" for place in range(len(texts))]
    orders = draw(st.lists(st.permutations(ids), min_size=1, max_size=3))
    judgments = []
    for place, order in enumerate(orders):
        cut = draw(st.integers(1, len(ids)))  # the first so many tie
        value = [order[:cut], *([one] for one in order[cut:])]
        judgments.append(
            Judgment.from_json(
                {
                    "id": f"j{place}",
                    "prompt_id": name,
                    "rater": draw(TEXT),
                    "kind": "ranking",
                    "value": value,
                    "completions": ids,
                    "reason": draw(TEXT),
                }
            )
        )
    return Group(
        prompt=Prompt(id=name, content=draw(CONVERSATION if talk else WORDS)),
        completions=tuple(
            Completion(id=one, prompt_id=name, text=text)
            for one, text in zip(ids, texts, strict=True)
        ),
        judgments=tuple(judgments),
    )


@st.composite
def files_of_groups(draw: st.DrawFn) -> list[Group]:
    talk = draw(st.booleans())
    return [draw(judged_groups(f"p{place}", talk)) for place in range(draw(st.integers(1, 3)))]


CONTAINERS = st.sampled_from(["o.jsonl", "o.json", "o.csv", "o.csv.gz", "o.parquet"])
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read_back(groups: list[Group], name: str, form: str) -> list[Group]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        try:
            report = export(groups, path, form)
        except DataError as error:
            known = (
                "votes on a pair are even",
                "votes on a completion are even",
                "desirable or undesirable",
                "read back as it is",
            )
            if not any(words in str(error) for words in known):
                raise
            return []
        found, read = read_groups(path)
        assert read.refused == ()
        assert len(found) == sum(report.files.values())
        if name != "o.csv" and not name.endswith(".gz"):
            reasons = {one.reason for one in (*report.left_out, *report.rows_left_out)}
            assert not any("read back" in reason for reason in reasons)
        return found


@SLOW
@given(files_of_groups(), CONTAINERS)
def test_any_groups_come_back(groups, name):
    assert read_back(groups, name, "groups") == groups


@SLOW
@given(files_of_groups(), CONTAINERS)
def test_any_pairs_come_back_with_their_shares_and_weights(groups, name):
    expected = {
        (
            group.prompt.content,
            judged[pair.first].text,
            judged[pair.second].text,
            pair.probability,
            pair.weight,
        )
        for group in map(consensus, groups)
        for judged in [group.completions]
        for pair in group.preference.pairs
        if pair.probability != 0.5
    }
    found = set()
    for group in read_back(groups, name, "trl-preference"):
        (pair,) = group.preference.pairs
        chosen, rejected = (group.completions[k].text for k in (pair.first, pair.second))
        weight = group.preference.weight
        found.add((group.prompt.content, chosen, rejected, pair.probability, weight))
    assert found <= expected
    assert found == expected or "csv" in name  # what CSV cannot hold is left out, and said


@SLOW
@given(files_of_groups(), CONTAINERS)
def test_any_rankings_come_back_with_ties_and_shares(groups, name):
    found = {group.prompt.id: group for group in read_back(groups, name, "trl-ranking")}
    assert len(found) == len(groups) or "csv" in name
    for group in map(consensus, groups):
        if (read := found.get(group.prompt.id)) is None:
            continue
        assert read.prompt.content == group.prompt.content
        assert [one.text for one in read.completions] == [one.text for one in group.completions]
        assert read.preference.ranks == group.preference.ranks
        shares = [(p.first, p.second, p.probability, p.weight) for p in group.preference.pairs]
        assert [
            (p.first, p.second, p.probability, p.weight) for p in read.preference.pairs
        ] == shares


@SLOW
@given(files_of_groups(), CONTAINERS)
def test_any_labels_come_back(groups, name):
    from suffrage.data.preferences import as_labels

    expected = {
        (group.prompt.content, group.completions[place].text, label)
        for group in map(consensus, groups)
        for place, label in as_labels(group.preference)
        if label != 0.5
    }
    found = {
        (group.prompt.content, group.completions[0].text, group.preference.labels[0])
        for group in read_back(groups, name, "trl-unpaired")
    }
    assert found <= expected
    assert found == expected or "csv" in name


# Nobody is named.

NAMED = (
    judgment(1, "Mei Lin", "pair", "a", "x", "y"),
    judgment(2, "Mei Lin", "pair", "b", "x", "y", supersedes="Mei Lin-1"),
    judgment(1, "Tomás", "demonstration", "Good day."),
    judgment(1, "Tomás", "ranking", [["y"], ["x", "z"]], "y", "x", "z", shown=["x", "y", "z"]),
)


def named_group() -> Group:
    group = make_group(*NAMED)
    written = Completion(id="Tomás's", prompt_id="p1", text="Mine.", source="person:Tomás")
    meta = {"by": "Mei Lin", "who": ["person:Tomás", {"Mei Lin": 3}], "id": 4}
    return group.model_copy(
        update={
            "prompt": group.prompt.model_copy(update={"meta": meta}),
            "completions": (*group.completions, written),
        }
    )


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["o.jsonl", "o.csv", "o.json"])
def test_pseudonyms_leave_no_name_anywhere(tmp_path, form, name):
    group = named_group()
    weighed = consensus(group, {"Mei Lin": 0.5})
    export([weighed], tmp_path / name, form, pseudonyms=True, seed=3)
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert "rater-1" in text
    assert not any(word in text for word in ("Mei", "Lin", "Tom", "\\u00e1s"))


def test_pseudonyms_change_nothing_but_names(tmp_path):
    group = named_group()
    export([group], tmp_path / "o.jsonl", "groups", pseudonyms=True)
    ((read,), _) = read_groups(tmp_path / "o.jsonl")
    assert len({one.rater for one in read.judgments}) == 2
    assert read.judgments[1].supersedes == read.judgments[0].id
    before, after = consensus(group), consensus(read)
    assert after.preference == before.preference
    assert [one.text for one in after.completions] == [one.text for one in before.completions]
    assert read.prompt.meta["id"] == 4
    rewritten = consensus(consensus(group))  # the demonstration is among the completions already
    export([rewritten], tmp_path / "p.jsonl", "groups", pseudonyms=True)
    ((again,), _) = read_groups(tmp_path / "p.jsonl")
    assert len(consensus(again).completions) == len(rewritten.completions)


def test_pseudonyms_keep_what_each_rater_weighs(tmp_path):
    weighed = consensus(named_group(), {"Mei Lin": 0.5})
    alone = make_group(name="p2").model_copy(update={"preference": Preference(raters={"Zoe": 2})})
    export([weighed, alone], tmp_path / "o.jsonl", "groups", pseudonyms=True)
    read, _ = read_groups(tmp_path / "o.jsonl")
    assert read[0].preference.raters == {read[0].judgments[0].rater: 0.5}
    ((name, weight),) = read[1].preference.raters.items()
    assert (name[:6], weight) == ("rater-", 2)
    assert name not in {one.rater for one in read[0].judgments}


def test_pseudonyms_are_stable_and_differ_by_seed(tmp_path):
    raters = [f"name {k}" for k in range(12)]
    group = make_group(*(judgment(1, rater, "pair", "a", "x", "y") for rater in raters))
    seen = {}
    for seed in (0, 1):
        for name, groups in (("one", [group]), ("two", [make_group(name="p2"), group])):
            path = tmp_path / f"{name}{seed}.jsonl"
            export(groups, path, "trl-preference", pseudonyms=True, seed=seed)
            seen[name, seed] = rows_of(path)[0]["raters"]
    assert seen["one", 0] == seen["two", 0]
    assert seen["one", 0] != seen["one", 1]
    assert sorted(seen["one", 1]) == sorted(f"rater-{k}" for k in range(1, 13))


# Train and test.


def many(count: int) -> list[Group]:
    pair = judgment(1, "Mei", "pair", "a", "x", "y")
    return [make_group(pair, name=f"p{k}", words=f"Question {k // 2}?") for k in range(count)]


def split_ids(tmp_path: Path, groups: list[Group], **options: Any) -> list[set[str]]:
    export(groups, tmp_path / "o.jsonl", "trl-preference", overwrite=True, **options)
    files = [tmp_path / f"o-{side}.jsonl" for side in ("train", "test")]
    return [{row["prompt_id"] for row in rows_of(file)} for file in files]


def test_a_split_keeps_prompts_of_the_same_words_together(tmp_path):
    train, test = split_ids(tmp_path, many(40), split=0.3)
    assert len(test) == 12  # 6 of the 20 prompts, each asked twice
    assert train | test == {f"p{k}" for k in range(40)}
    for side in (train, test):
        assert all(f"p{int(one[1:]) ^ 1}" in side for one in side)
    assert not (tmp_path / "o.jsonl").exists()


def test_a_conversation_of_one_turn_is_on_the_side_of_the_same_text(tmp_path):
    groups = many(20)
    pair = groups[0].judgments[0]
    for k in range(10):
        words = (Message(role="user", content=f"Question  {k}?\n"),)
        groups.append(make_group(pair, name=f"talk{k}", words=words))
    train, test = split_ids(tmp_path, groups, split=0.4)
    for side in (train, test):
        assert {int(one[4:]) for one in side if one.startswith("talk")} == {
            int(one[1:]) // 2 for one in side if one.startswith("p")
        }


def test_a_split_depends_on_the_seed_and_not_on_the_order(tmp_path):
    first = split_ids(tmp_path, many(40), split=0.5, seed=5)
    assert split_ids(tmp_path, many(40)[::-1], split=0.5, seed=5) == first
    assert split_ids(tmp_path, many(40), split=0.5, seed=6) != first


def test_compressed_names_are_split_before_both_ends(tmp_path):
    report = export(many(8), tmp_path / "o.csv.gz", "groups", split=0.5)
    assert {path.name: rows for path, rows in report.files.items()} == {
        "o-train.csv.gz": 4,
        "o-test.csv.gz": 4,
    }


# What is refused.


@pytest.mark.parametrize(
    ("name", "form", "options", "words"),
    [
        ("o.jsonl", "trl", {}, "no export format 'trl'"),
        ("o.xlsx", "groups", {}, ".xlsx is none of .jsonl, .json, .csv, .parquet"),
        ("o.parquet.gz", "groups", {}, ".parquet.gz is none of"),
        ("o", "groups", {}, "no end is none of"),
        ("o.csv", "groups", {"split": 1.0}, "split is 1; it is a share"),
    ],
)
def test_settings_that_make_no_sense(tmp_path, name, form, options, words):
    with pytest.raises(SettingsError, match=re.escape(words)):
        export(many(4), tmp_path / name, form, **options)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "o-test.jsonl").write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match=r"o-test.jsonl exists"):
        export(many(4), tmp_path / "o.jsonl", "groups", split=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["o-test.jsonl"]


def test_without_a_row_no_file_is_written(tmp_path):
    with pytest.raises(DataError, match="none of the 1 groups can be exported as comparisons"):
        export([make_group()], tmp_path / "o.jsonl", "comparisons")
    with pytest.raises(DataError, match="one prompt cannot be split"):
        export(many(2), tmp_path / "o.jsonl", "groups", split=0.5)
    assert list(tmp_path.iterdir()) == []


def test_parquet_cannot_mix_texts_and_conversations(tmp_path):
    talk = make_group(*THREE_TO_ONE, words=(Message(role="user", content="hi"),), name="p2")
    with pytest.raises(DataError, match=r"name a \.jsonl file"):
        export([make_group(*THREE_TO_ONE), talk], tmp_path / "o.parquet", "trl-preference")
    assert list(tmp_path.iterdir()) == []
    export([make_group(*THREE_TO_ONE), talk], tmp_path / "o.jsonl", "trl-preference")
    found, _ = read_groups(tmp_path / "o.jsonl")
    assert [type(group.prompt.content) for group in found] == [str, str, tuple, tuple]


def test_parquet_without_the_extra(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match="needs the datasets package to be written"):
        export(many(2), tmp_path / "o.parquet", "groups")


def test_half_a_character_is_left_out(tmp_path):
    bad = make_group(judgment(1, "Mei", "pair", "a", "x", "y", reason="\ud83d"))
    report = export([bad, *many(2)], tmp_path / "o.jsonl", "groups")
    assert report.left_out == (LeftOut("p1", "holds half a character (a lone surrogate)"),)
