"""What `read_groups` and `read_prompts` do whatever the format."""

from __future__ import annotations

import subprocess
import sys

import pytest

from suffrage.core.errors import DataError
from suffrage.data.read import ReadReport, Refused, _taken, read_groups, read_prompts, write_groups
from suffrage.data.readers.containers import RawRow
from suffrage.data.readers.table import GROUP_FORMATS, PROMPT_FORMATS

PAIR = {"prompt": "q", "chosen": "a", "rejected": "b"}


def test_ids_are_kept_and_made_unique(jsonl):
    rows = [PAIR | {"id": "x"}, PAIR | {"id": "x"}, PAIR | {"id": "x#2"}, PAIR, PAIR]
    groups, report = read_groups(jsonl(*rows))
    names = [group.prompt.id for group in groups]
    assert names[:3] == ["x", "x#2", "x#2#2"]
    assert names[4] == f"{names[3]}#2"
    assert groups[1].completions[0].id == "x#2-0"
    assert any("3 repeat an id or a prompt" in note for note in report.notes)


def test_an_id_made_from_the_content_is_stable(jsonl):
    first = read_groups(jsonl(PAIR))[0][0].prompt.id
    second = read_groups(jsonl(PAIR | {"prompt": "other"}, PAIR))[0][1].prompt.id
    assert first == second


def test_category_is_kept_and_other_fields_are_not(jsonl):
    groups, _ = read_groups(jsonl(PAIR | {"category": "算術", "source": "x" * 99}))
    assert groups[0].prompt.meta == {"category": "算術"}


def test_data_size_passes_over_refused_rows(jsonl):
    rows = [PAIR, PAIR | {"chosen": "b"}, PAIR | {"id": 3}, PAIR | {"chosen": ""}]
    groups, report = read_groups(jsonl(*rows), data_size=2)
    assert [group.prompt.id for group in groups][1] == "3"
    assert (report.rows, report.kept) == (4, 2)
    assert [one.row for one in report.refused] == [2]
    assert any("only the first 2 were asked for" in note for note in report.notes)


def test_data_size_larger_than_the_file(jsonl):
    with pytest.raises(DataError, match=r"than data_size 2 asks for: 1 of its 2 can"):
        read_groups(jsonl(PAIR, PAIR | {"chosen": ""}), data_size=2)


def test_unknown_fields_are_listed_with_the_known_formats(jsonl):
    with pytest.raises(DataError) as caught:
        read_groups(jsonl({"frage": "q", "antwort": "a"}))
    message = str(caught.value)
    assert "'frage', 'antwort'" in message
    assert all(form.name in message for form in GROUP_FORMATS)


def test_nothing_kept_says_why(jsonl):
    with pytest.raises(
        DataError, match=r"none of its 2 rows .*row 1: chosen equals rejected; row 2"
    ):
        read_groups(jsonl(PAIR | {"chosen": "b"}, PAIR | {"chosen": ""}))


def test_the_format_is_that_of_most_rows(jsonl):
    thumb = {"prompt": "q", "completion": "a", "label": True}
    groups, report = read_groups(jsonl(PAIR, thumb, thumb))
    assert report.format == "TRL unpaired"
    assert len(groups) == 2
    assert report.refused[0].reason == "looks like TRL preference among TRL unpaired"


def test_a_report_for_people():
    refused = [Refused("f", row, "chosen is empty") for row in (3, 9, 11, 12, 13, 1500)]
    refused += [Refused("f", 4, "chosen equals rejected")]
    report = ReadReport("f.csv", "TRL unpaired", 1807, 1800, tuple(refused), ("a note",))
    assert str(report).split("\n") == [
        "f.csv: TRL unpaired, 1,800 of 1,807 rows kept, 7 refused",
        "  6: chosen is empty (rows 3, 9, 11, 12, 13, ...)",
        "  1: chosen equals rejected (row 4)",
        "  a note",
    ]


@pytest.mark.parametrize(
    ("row", "content"),
    [
        ({"prompt": "q"}, "q"),
        ({"id": 7, "prompt": "q"}, "q"),
        ({"question_id": 81, "category": "writing", "turns": ["q", "then"]}, "q"),
        ({"instruction": "q", "input": "x"}, "q\nx"),
        ({"prompt": "q", "chosen": "same", "rejected": "same"}, "q"),
        ({"instruction": "q", "output": ""}, "q"),
        ({"prompt": {"id": "p", "content": "q"}}, "q"),
    ],
)
def test_prompts_of_any_file(jsonl, row, content):
    prompts, _ = read_prompts(jsonl(row))
    assert [prompt.content for prompt in prompts] == [content]
    number = row.get("id", row.get("question_id"))
    assert prompts[0].meta.get("id") == number
    assert prompts[0].meta.get("category") == row.get("category")


def test_prompts_are_distinct_and_in_order(jsonl):
    rows = [PAIR, PAIR | {"prompt": "r"}, PAIR | {"chosen": "c"}]
    prompts, report = read_prompts(jsonl(*rows))
    assert [prompt.content for prompt in prompts] == ["q", "r"]
    assert len({prompt.id for prompt in prompts}) == 2
    assert (report.rows, report.kept, report.refused) == (3, 2, ())


def test_prompt_messages_that_wait_for_an_answer(jsonl):
    prompts, _ = read_prompts(jsonl({"messages": [{"role": "user", "content": "q"}]}))
    assert prompts[0].content[0].content == "q"


def test_a_prompts_file_cannot_be_learned_from(jsonl):
    with pytest.raises(DataError, match="holds prompts only"):
        read_groups(jsonl({"id": "1", "prompt": "q"}))


@pytest.mark.parametrize(
    "bad",
    [
        {"prompt": {"id": "p", "content": "q", "meta": {"x": float("nan")}}},
        {"prompt": {"id": "p", "content": "q", "meta": {"x": "\ud800"}}},
        {"prompt": {"id": "p"}},
        {"prompt": {"id": "p", "content": "q"}, "completions": 3},
        {"prompt": {"id": "p", "content": "q"}, "votes": []},
    ],
)
def test_damaged_groups_are_refused(jsonl, bad, tmp_path):
    good = {"prompt": {"id": "g", "content": "q"}}
    groups, report = read_groups(jsonl(good, bad))
    assert [one.row for one in report.refused] == [2]
    write_groups(tmp_path / "out.jsonl", groups)


def test_groups_of_one_prompt_are_renamed_whole(jsonl):
    value = {
        "prompt": {"id": "p", "content": "q"},
        "completions": [{"id": f"c{k}", "prompt_id": "p", "text": "t"} for k in (1, 2)],
        "judgments": [
            {
                "id": "j",
                "prompt_id": "p",
                "rater": "甲",
                "kind": "pair",
                "value": "a",
                "completions": ["c1", "c2"],
            }
        ],
    }
    groups, _ = read_groups(jsonl(value, value))
    assert [group.prompt.id for group in groups] == ["p", "p#2"]
    parts = (*groups[1].completions, *groups[1].judgments)
    assert {part.prompt_id for part in parts} == {"p#2"}


def test_every_format_is_known_by_its_own_fields():
    names = [form.name for form in GROUP_FORMATS + PROMPT_FORMATS]
    assert len(set(names)) == len(names)
    assert all(form.fields for form in GROUP_FORMATS + PROMPT_FORMATS)


def test_reading_needs_nothing_heavy():
    code = (
        "import sys, suffrage.data.read\n"
        "print({'torch', 'transformers', 'datasets', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("rows", ["q,x,y,x,r1", "q,x,y,,r1\nq,x,y,y,r2"])
def test_a_table_of_who_beat_whom_is_sent_to_the_verb_that_reads_it(tmp_path, rows):
    (tmp_path / "v.csv").write_text(f"prompt,a,b,winner,rater\n{rows}\n", encoding="utf-8")
    with pytest.raises(DataError, match="`suffrage rank` reads it"):
        read_groups(tmp_path / "v.csv")


def test_a_row_leaves_its_list_once_it_is_built() -> None:
    rows = [RawRow("f", number, {"n": number}) for number in (1, 2)]
    taken = _taken(rows)
    assert next(taken).value == {"n": 1}
    assert [row.value for row in rows] == [None, {"n": 2}]
    assert [row.number for row in taken] == [2]
