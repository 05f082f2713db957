"""Files: nothing half-written, nothing lost, and one sentence when something is wrong."""

from __future__ import annotations

import errno
import gzip
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffrage.core.errors import DataError, RunError
from suffrage.core.files import (
    append_jsonl,
    atomic_path,
    build_folder,
    check_writable,
    numbered_jsonl,
    read_bytes,
    read_json,
    read_jsonl,
    read_log,
    read_text,
    to_line,
    write_json,
    write_jsonl,
    write_text,
)

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@given(st.lists(VALUES, max_size=4))
def test_json_makes_the_round_trip(folder, values):
    write_jsonl(folder / "rows.jsonl", values)
    assert read_jsonl(folder / "rows.jsonl") == values
    write_json(folder / "value.json", values)
    assert read_json(folder / "value.json") == values
    assert len((folder / "rows.jsonl").read_bytes().splitlines()) == len(values)


def test_text_stays_readable_in_the_file(tmp_path):
    write_json(tmp_path / "a.json", {"問": "答"})
    assert (tmp_path / "a.json").read_bytes() == '{\n  "問": "答"\n}\n'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_hold_is_not_written(tmp_path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", value)
    assert list(tmp_path.iterdir()) == []


def test_gzip_is_known_by_its_content(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(gzip.compress('{"x": "中"}\n'.encode()))
    assert read_jsonl(tmp_path / "a.jsonl") == [{"x": "中"}]


@pytest.mark.parametrize("cut", [5, 30])
def test_a_damaged_gzip_is_named(tmp_path, cut):
    whole = gzip.compress(os.urandom(200))
    (tmp_path / "a.gz").write_bytes(whole[:cut])
    with pytest.raises(DataError, match=r"a\.gz: is a damaged gzip file .*; fetch it again\."):
        read_bytes(tmp_path / "a.gz")


def test_a_byte_order_mark_is_passed_over(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf[1]")
    assert read_json(tmp_path / "a.json") == [1]


def test_another_encoding_names_the_row_and_the_byte(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\n" + "繁體".encode("big5"))
    with pytest.raises(
        DataError, match=r"a\.txt, row 3: is not UTF-8 \(byte 0xc1\); save it"
    ) as error:
        read_text(tmp_path / "a.txt")
    assert (error.value.path, error.value.row) == (tmp_path / "a.txt", 3)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_what_a_byte_order_mark_tells_of_the_encoding_is_told_on(tmp_path, encoding):
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""  # "utf-16" writes its own
    (tmp_path / "a.txt").write_bytes(mark + "one\ntwo".encode(encoding))
    with pytest.raises(DataError, match=r"row 1: is not UTF-8 .*`iconv -f UTF-16 -t UTF-8 a\.txt"):
        read_text(tmp_path / "a.txt")


def test_a_file_that_is_there_is_written_over_only_when_that_is_said(tmp_path):
    write_text(tmp_path / "old", "years of work")
    (tmp_path / "link").symlink_to("gone")
    for name in ("old", "link"):
        with pytest.raises(RunError, match=f"{name} exists; pass --overwrite to replace it, or na"):
            check_writable(tmp_path / name, overwrite=False)
        check_writable(tmp_path / name, overwrite=True)
    check_writable(tmp_path / "new", tmp_path / "old", overwrite=False)


def test_what_must_never_be_written_over(tmp_path):
    write_text(tmp_path / "input", "x")
    os.mkfifo(tmp_path / "pipe")
    for name, sentence in (
        ("input", "input is what this command reads; choose another file to write"),
        ("pipe", "pipe is no ordinary file; name a file to write"),
        (".", "is a folder; name a file to write"),
        ("input/below", "below: cannot be written .*; choose another place"),
    ):
        for overwrite in (False, True):
            with pytest.raises(RunError, match=sentence):
                check_writable(tmp_path / name, tmp_path / "input", overwrite=overwrite)


def test_a_bad_line_is_named_and_blank_ones_are_passed_over(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\n  \n{"a": 2\n')
    rows = numbered_jsonl(tmp_path / "a.jsonl")
    assert next(rows) == (1, {"a": 1})
    with pytest.raises(DataError, match=r"a\.jsonl, row 4: is not JSON"):
        next(rows)


def test_a_line_separator_within_a_text_does_not_end_its_row(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", ["one\u2028two\x85three", "four"])
    assert list(numbered_jsonl(tmp_path / "a.jsonl")) == [(1, "one\u2028two\x85three"), (2, "four")]


def test_bad_json_names_row_and_column(tmp_path):
    (tmp_path / "a.json").write_text('{\n "a": ]\n}')
    with pytest.raises(DataError, match=r"a\.json, row 2: is not JSON \(.*, column 7\)"):
        read_json(tmp_path / "a.json")


def test_what_cannot_be_read_is_said(tmp_path):
    with pytest.raises(DataError, match="no such file; check the path"):
        read_bytes(tmp_path / "none")
    with pytest.raises(DataError, match="is a folder; name a file in it"):
        read_bytes(tmp_path)
    write_text(tmp_path / "file", "x")
    with pytest.raises(DataError, match=r"cannot be read \(Not a directory\)"):
        read_bytes(tmp_path / "file" / "in")


def crash(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt


def test_a_crash_in_mid_write_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(KeyboardInterrupt):
        crash(tmp_path / "a.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert read_text(tmp_path / "a.txt") == "old"


def test_a_crash_in_mid_write_leaves_no_new_file(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        crash(tmp_path / "new" / "a.txt")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_file_has_the_permissions_any_other_would_have(tmp_path):
    write_text(tmp_path / "ours", "x")
    (tmp_path / "theirs").write_text("x")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "theirs")]
    assert modes[0] == modes[1]


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


FULL = r"a: the disk is full; free some space and run the same command again\."


def test_a_full_disk_is_one_sentence_and_the_old_file_stays(tmp_path, monkeypatch):
    write_text(tmp_path / "a", "old")
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(RunError, match=FULL):
        write_text(tmp_path / "a", "new")
    monkeypatch.undo()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


@pytest.mark.parametrize(
    "call", ["os.fsync", "os.replace", "tempfile.mkstemp", "pathlib.Path.mkdir"]
)
def test_a_disk_that_fills_at_any_moment(tmp_path, monkeypatch, call):
    monkeypatch.setattr(call, full)
    with pytest.raises(RunError, match=FULL):
        write_json(tmp_path / "a", [1])
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_while_appending_or_building(tmp_path, monkeypatch):
    with pytest.raises(RunError, match=FULL):
        build_folder(tmp_path / "a", full)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(RunError, match=FULL):
        append_jsonl(tmp_path / "a", 1)


@pytest.mark.parametrize(
    "write", [write_json, append_jsonl, lambda path, _: build_folder(path, print)]
)
def test_a_place_that_cannot_be_written_is_said(tmp_path, write):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match=r"file/a: cannot be written \(.*\); choose another place\."):
        write(tmp_path / "file" / "a", 1)


def test_appending_adds_whole_lines(tmp_path):
    for value in ({"a": "中"}, [1]):
        append_jsonl(tmp_path / "log.jsonl", value)
    assert (tmp_path / "log.jsonl").read_text("utf-8") == '{"a": "中"}\n[1]\n'
    assert to_line([1]) == "[1]\n"


def test_a_folder_appears_whole(tmp_path):
    def build(folder: Path) -> None:
        (folder / "part").write_text("1")
        assert not (tmp_path / "out").exists()
        (folder / "rest").write_text("2")

    assert build_folder(tmp_path / "out", build) == tmp_path / "out"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["part", "rest"]
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) & 0o500 == 0o500


def test_a_folder_whose_making_crashed_is_not_there(tmp_path):
    def build(folder: Path) -> None:
        (folder / "part").write_text("1")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        build_folder(tmp_path / "out", build)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_stays_as_it_is(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("1")
    build_folder(tmp_path / "out", lambda folder: (folder / "other").write_text("2"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_files_are_written_with_plain_line_ends(tmp_path):
    write_text(tmp_path / "a", "one\ntwo\n")
    assert (tmp_path / "a").read_bytes() == b"one\ntwo\n"
    assert json.loads(to_line({"a": "\r\n"})) == {"a": "\r\n"}


def test_a_log_with_a_torn_last_line_keeps_the_whole_ones(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1}\n{"step": 2}\n{"st', encoding="utf-8")
    assert read_log(log) == [{"step": 1}, {"step": 2}]
    append_jsonl(log, {"step": 3})
    assert read_log(log) == [{"step": 1}, {"step": 2}, {"step": 3}]


def test_a_log_is_mended_in_the_middle_of_a_character_and_at_one_stroke(tmp_path: Path) -> None:
    log, reading = tmp_path / "a.jsonl", tmp_path / "as another process has it open"
    broken = b'{"said": "\xe6\xb5\xb7"}\n{"said": "\xe6\xb5'
    log.write_bytes(broken)
    os.link(log, reading)
    assert read_log(log) == [{"said": "海"}]
    assert read_log(log) == [{"said": "海"}]
    assert reading.read_bytes() == broken


def test_a_folder_that_cannot_take_its_place_is_said_and_not_lost_in_silence(tmp_path):
    (tmp_path / "model").write_text("a file where the folder belongs", encoding="utf-8")
    with pytest.raises(RunError, match="cannot be written"):
        build_folder(tmp_path / "model", lambda folder: None)
