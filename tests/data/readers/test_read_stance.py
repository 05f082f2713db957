"""Stance files: who is preferred is in support_ratio."""

from __future__ import annotations

import json

import pytest

from suffrage.core.errors import DataError, SettingsError
from suffrage.data.read import read_groups


@pytest.fixture
def stance(tmp_path):
    def write(rows):
        path = tmp_path / "labelled_data.json"
        values = [
            {"id": k, "prompt": f"問題{k}", "support": f"贊成{k}", "oppose": f"反對{k}"}
            for k in range(1, rows + 1)
        ]
        path.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
        return path

    return write


def _supporting(groups):
    return [group.preference.pairs[0].first == 0 for group in groups]


@pytest.mark.parametrize(
    ("rows", "size", "ratio", "support"),
    [
        (10, None, 1, 10),
        (10, None, 0, 0),
        (10, 5, 0.5, 2),  # int(2.5)
        (100, None, 0.29, 29),  # .29 * 100 is 28.999999999999996
        (10, 7, 0.7, 4),  # int(4.9)
        (50, 50, None, 50),
    ],
)
def test_the_first_rows_support(stance, rows, size, ratio, support):
    groups, report = read_groups(stance(rows), data_size=size, support_ratio=ratio)
    n = size or rows
    assert _supporting(groups) == [True] * support + [False] * (n - support)
    assert all(group.completions[0].text.startswith("贊成") for group in groups)
    assert all(
        group.preference.pairs[0].second == 1 - group.preference.pairs[0].first for group in groups
    )
    assert report.format == "stance file"
    assert f"the first {support} rows prefer the supporting answer" in str(report)


def test_a_row_counts_and_is_as_strong_on_either_side(tmp_path):
    row = {"support": "贊成", "oppose": "反對", "weight": 0.5, "strength": 0.25}
    rows = [{**row, "prompt": f"問題{k}"} for k in range(2)]
    (tmp_path / "two.json").write_text(json.dumps(rows), encoding="utf-8")
    for ratio, first in ((1, 0), (0, 1)):
        groups, _ = read_groups(tmp_path / "two.json", support_ratio=ratio)
        for group in groups:
            (pair,) = group.preference.pairs
            assert (pair.first, pair.strength, group.preference.weight) == (first, 0.25, 0.5)


def test_ids_are_the_files(stance):
    groups, _ = read_groups(stance(2))
    assert [group.prompt.id for group in groups] == ["1", "2"]
    assert [group.prompt.meta for group in groups] == [{"id": 1}, {"id": 2}]


def test_more_rows_asked_for_than_there_are(stance):
    with pytest.raises(DataError, match=r"data_size 50 asks for: 3 of its 3 can"):
        read_groups(stance(3), data_size=50)


@pytest.mark.parametrize("ratio", [1.2, -0.1, float("nan")])
def test_support_ratio_out_of_range(stance, ratio):
    with pytest.raises(SettingsError, match="must lie between 0 and 1"):
        read_groups(stance(3), support_ratio=ratio)


@pytest.mark.parametrize("size", [0, -1])
def test_data_size_below_one(stance, size):
    with pytest.raises(SettingsError, match="at least 1"):
        read_groups(stance(3), data_size=size)


def test_support_ratio_of_another_format(jsonl):
    path = jsonl({"prompt": "q", "chosen": "a", "rejected": "b"})
    with pytest.raises(SettingsError, match="support_ratio is for stance files"):
        read_groups(path, support_ratio=0.5)
