"""The same rows in every kind of file."""

from __future__ import annotations

import gzip
import json
import os
import sys
import threading
import types

import pytest

from suffrage.core.errors import DataError
from suffrage.data.read import read_groups, read_prompts

ROWS = [
    {"prompt": "一、問", "chosen": 'say "好", 好', "rejected": "不\n好"},
    {"prompt": "q2", "chosen": "a2", "rejected": "b2"},
]
CSV = 'prompt,chosen,rejected\n"一、問","say ""好"", 好","不\n好"\nq2,a2,b2\n'
FILES = {
    "array.json": json.dumps(ROWS),
    "indented.json": json.dumps(ROWS, indent=2, ensure_ascii=False),
    "object.json": json.dumps({"version": 1, "data": ROWS}),
    "pretty_object.json": json.dumps({"rows": ROWS}, indent=1),
    "lines.jsonl": "\n".join(json.dumps(row) for row in ROWS),
    "lines.json": "\r\n".join(json.dumps(row) for row in ROWS) + "\r\n\r\n",
    "no_suffix": "".join(json.dumps(row) + "\n" for row in ROWS),
    "table.csv": CSV,
    "TABLE.CSV": CSV.replace("\n", "\r\n").replace("不\r\n", "不\n"),
    "table.tsv": CSV.replace(",", "\t").replace("\t 好", ", 好"),
    "mark.csv": "\ufeff" + CSV,
}


def _read(path):
    groups, report = read_groups(path)
    return [
        {"prompt": group.prompt.content}
        | dict(zip(("chosen", "rejected"), [one.text for one in group.completions], strict=True))
        for group in groups
    ], report


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("zipped", [False, True])
def test_every_container(tmp_path, name, zipped):
    raw = FILES[name].encode()
    path = tmp_path / (f"{name}.gz" if zipped else name)
    path.write_bytes(gzip.compress(raw) if zipped else raw)
    rows, report = _read(path)
    assert rows == ROWS
    assert (report.rows, report.kept, report.refused) == (2, 2, ())


def test_gzip_is_known_by_content(tmp_path):
    path = tmp_path / "plain_name.jsonl"
    path.write_bytes(gzip.compress(FILES["lines.jsonl"].encode()))
    assert _read(path)[0] == ROWS


@pytest.mark.parametrize("zipped", [False, True])
def test_parquet(tmp_path, zipped):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows.parquet"
    parquet.write_table(arrow.Table.from_pylist(ROWS), path)
    if zipped:
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert _read(path)[0] == ROWS


def test_damaged_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1 and then nothing of use")
    with pytest.raises(DataError, match="damaged Parquet"):
        read_groups(path)


def test_parquet_without_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"pip install 'suffrage\[datasets\]'"):
        read_groups(path)


def test_folder(tmp_path):
    for name in ("b.csv", "a.jsonl", "notes.md", ".hidden.json"):
        text = {"b.csv": CSV, "a.jsonl": json.dumps(ROWS[1])}.get(name, "no data")
        (tmp_path / name).write_text(text, encoding="utf-8")
    rows, report = _read(tmp_path)
    assert rows == [ROWS[1], *ROWS]
    assert report.notes[0] == "read 2 files: a.jsonl, b.csv"


def test_folder_names_the_file_of_a_refused_row(tmp_path):
    (tmp_path / "a.csv").write_text(CSV, encoding="utf-8")
    (tmp_path / "b.csv").write_text("prompt,chosen,rejected\nq,a,a\n", encoding="utf-8")
    _, report = read_groups(tmp_path)
    assert [(one.path, one.row) for one in report.refused] == [(str(tmp_path / "b.csv"), 2)]


def test_folder_without_data(tmp_path):
    with pytest.raises(DataError, match="folder without a data file"):
        read_groups(tmp_path)


def test_csv_rows_are_lines_of_the_file(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(CSV + "\nq3,only two\nq4,same,same\n", encoding="utf-8")
    _, report = read_groups(path)
    assert [(one.row, one.reason) for one in report.refused] == [
        (6, "has 2 columns, the header 3"),
        (7, "chosen equals rejected"),
    ]


def test_csv_cells_that_hold_json(tmp_path):
    path = tmp_path / "rows.csv"
    said = '"[{""role"":""user"",""content"":""q""},{""role"":""assistant"",""content"":""a""}]"'
    path.write_text(f"messages,label\n{said},False\n", encoding="utf-8")
    groups, _ = read_groups(path)
    assert groups[0].preference.labels == (False,)
    assert groups[0].completions[0].text == "a"


def test_csv_text_that_looks_like_json_stays_text(tmp_path):
    path = tmp_path / "rows.tsv"
    path.write_text("prompt\tcompletion\n[1, 2]\t{}\n", encoding="utf-8")
    groups, _ = read_groups(path)
    assert (groups[0].prompt.content, groups[0].completions[0].text) == ("[1, 2]", "{}")


def test_csv_cell_longer_than_the_csv_module_allows(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(f"prompt,completion\nq,{'長' * 200_000}\n", encoding="utf-8")
    groups, _ = read_groups(path)
    assert len(groups[0].completions[0].text) == 200_000


BROKEN = {
    "empty.jsonl": (b"", "is empty"),
    "blank.csv": (b" \n\n", "is empty"),
    "no_rows.json": (b"[]", "holds no rows"),
    "header.csv": (b"prompt,chosen,rejected\n", "holds no rows"),
    "cut.jsonl": (b'{"prompt":"q","chosen":"a","rejected":"b"}\n{"prompt":', "row 2: is not JSON"),
    "cut.json": (b'[\n{"prompt":"q"},\n{"prom', r"is not JSON \(.*line 3"),
    "words.json": (b"Dear all,", "is neither JSON nor Parquet"),
    "big5.csv": ("prompt,completion\nq,好".encode("big5"), "row 2: is not UTF-8"),
    "cut.json.gz": (gzip.compress(b"[1, 2, 3]" * 99)[:-12], "damaged gzip"),
    "quote.csv": (b'prompt,completion\nq,a\nq2,"never closed\n', "row 3: is not a well-formed"),
    "twice.csv": (b"prompt,prompt\na,b\n", "row 1: names a column twice"),
    "deep.json": (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    "one_line.json": (b'{"prompt": ' + b"9" * 5000 + b"}", "thousands of digits"),
    "digits.json": (b'[{"prompt": ' + b"9" * 5000 + b"}]", "thousands of digits"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files(tmp_path, name):
    raw, words = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(DataError, match=words) as caught:
        read_groups(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_line_python_cannot_hold_is_one_refused_row(tmp_path):
    path = tmp_path / "rows.jsonl"
    good = json.dumps(ROWS[1])
    deep = '{"prompt": ' + "[" * 100_000 + "]" * 100_000 + "}"
    digits = '{"prompt": ' + "9" * 5000 + "}"
    path.write_text(f"{good}\n{deep}\n{digits}\n3\n", encoding="utf-8")
    _, report = read_groups(path)
    assert [(one.row, one.reason) for one in report.refused] == [
        (2, "is nested too deeply"),
        (3, "holds a number of thousands of digits"),
        (4, "is a number, not an object with fields"),
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_read_once(tmp_path):
    path = tmp_path / "pipe.csv"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(CSV.encode(),), daemon=True)
    writer.start()
    rows, _ = _read(path)
    writer.join()
    assert rows == ROWS


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_groups(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="no such file"):
        read_groups("data/none.jsonl")  # a path by its ending, not the name of a dataset


def test_text_file_is_prompts(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("第一問\n\n  second \n第一問\n", encoding="utf-8")
    prompts, report = read_prompts(path)
    assert [prompt.content for prompt in prompts] == ["第一問", "second"]
    assert "1 left out that repeat a prompt" in str(report)
    with pytest.raises(DataError, match="holds prompts only"):
        read_groups(path)


def _datasets(monkeypatch, load):
    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load))


def test_dataset_name(monkeypatch):
    asked = []

    def load(name, split):
        asked.append((name, split))
        return iter(ROWS)

    _datasets(monkeypatch, load)
    groups, report = read_groups("some-org/some_data", split="test")
    assert asked == [("some-org/some_data", "test")]
    assert len(groups) == 2
    assert report.path == "some-org/some_data"


def test_dataset_that_cannot_be_loaded(monkeypatch):
    def load(name, split):
        raise ConnectionError("no route to the hub\nand much more")

    _datasets(monkeypatch, load)
    with pytest.raises(DataError, match=r"ConnectionError: no route to the hub\)") as caught:
        read_groups("some-org/some_data")
    assert "\n" not in str(caught.value)


def test_dataset_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'suffrage\[datasets\]'"):
        read_groups("some-org/some_data")
