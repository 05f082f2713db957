"""The readers on files made by others; skipped where they are absent."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from suffrage.core.errors import DataError
from suffrage.data.read import read_groups, read_prompts

FILES = [  # name, format, rows kept, distinct prompts at least, completions a row
    ("oasst_en_pairs.jsonl.gz", "messages preference", 754, 200, 2),
    ("sharegpt_dpo_en.json.gz", "ShareGPT preference", 300, 290, 2),
    ("sharegpt_dpo_zh.json.gz", "ShareGPT preference", 300, 280, 2),
    ("messages_kto_en.json.gz", "messages with a label", 300, 290, 1),
    ("alpaca_zh.json.gz", "Alpaca", 1000, 990, 1),
    ("self_instruct_seed_tasks.jsonl.gz", "Alpaca", 175, 175, 1),
    ("xstest_labels.jsonl.gz", "prompt and completion", 2250, 450, 1),
    ("fine_grained_qa_groups.jsonl.gz", "ranked groups", 400, 400, 4),
]


@pytest.mark.parametrize(("name", "form", "kept", "prompts", "size"), FILES)
def test_real_files(real_path, name, form, kept, prompts, size):
    path = real_path(f"data/{name}")
    groups, report = read_groups(path)
    assert (report.format, report.rows, report.kept) == (form, kept, kept)
    assert {len(group.completions) for group in groups} == {size}
    assert len({group.prompt.id for group in groups}) == kept
    found, _ = read_prompts(path)
    assert prompts <= len(found) <= kept


def test_hh_reports_its_dirty_rows(real_path):
    """Rows found by hand: four empty replies, two with different prompts."""
    groups, report = read_groups(real_path("data/hh_harmless_dialogues.jsonl.gz"))
    assert (report.format, report.rows, report.kept) == ("Anthropic HH dialogues", 1800, 1794)
    reasons = Counter(one.reason for one in report.refused)
    assert reasons == {"chosen is empty": 4, "chosen and rejected have different prompts": 2}
    assert [one.row for one in report.refused] == [87, 517, 926, 1104, 1255, 1689]
    for group in groups:
        roles = [turn.role for turn in group.prompt.content]
        assert roles[-1] == "user"
        assert all(one != other for one, other in pairwise(roles))


def test_hh_first_256_name_the_one_dirty_row_among_them(real_path):
    groups, report = read_groups(real_path("data/hh_harmless_dialogues.jsonl.gz"), data_size=256)
    assert len(groups) == 256
    assert [one.row for one in report.refused] == [87]


def test_comparisons_with_ties(real_path):
    groups, _ = read_groups(real_path("data/fine_grained_qa_groups.jsonl.gz"))
    first = [(one.first, one.second, one.probability) for one in groups[0].preference.pairs]
    # the file has [0,1,tie] [0,2,a] [0,3,b] [1,2,a] [1,3,tie] [2,3,b]
    assert first == [(0, 1, 0.5), (0, 2, 1), (3, 0, 1), (1, 2, 1), (1, 3, 0.5), (3, 2, 1)]


@pytest.mark.parametrize(
    ("name", "rows", "first"),
    [
        ("mt_bench_questions.jsonl.gz", 80, "Compose an engaging travel blog post"),
        ("tinystories_prompts.jsonl.gz", 754, "Once upon a time, in a big forest"),
    ],
)
def test_real_prompts(real_path, name, rows, first):
    path = real_path(f"data/{name}")
    prompts, _ = read_prompts(path)
    assert len(prompts) == rows
    assert prompts[0].text.startswith(first)
    with pytest.raises(DataError, match="holds prompts only"):
        read_groups(path)
