"""Whatever a file holds, reading it gives groups or one sentence; what was written is read back."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suffrage.core.errors import UserError
from suffrage.core.records import Group
from suffrage.data.read import read_groups, read_prompts, write_groups
from suffrage.data.readers.table import GROUP_FORMATS, PROMPT_FORMATS

FIELDS = sorted(
    {name for form in GROUP_FORMATS + PROMPT_FORMATS for f in form.fields for name in f.split("|")}
    | {"id", "category", "system", "history", "input"}
)
TURN = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "assistant", "system", "x"]) | st.none(),
        "content": st.text(max_size=4) | st.none(),
        "from": st.sampled_from(["human", "gpt"]),
        "value": st.text(max_size=4),
        "id": st.text(max_size=2),
    },
)
LEAF = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.just(10**400)
    | st.floats()
    | st.text(st.characters(codec=None), max_size=6)
    | st.sampled_from(["a", "b", "tie", "\n\nHuman: q\n\nAssistant: a", "\ud800", "Human:"])
)
VALUE = st.recursive(
    LEAF | TURN | st.lists(TURN, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=6,
)
ROW = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=3), VALUE, max_size=6)


def _read_both(raw: bytes, name: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(raw)
        for read in (read_groups, read_prompts):
            said, records = _outcome(read, path)
            said.encode()  # can be printed
            if records and read is read_groups:
                write_groups(path.with_name("out.jsonl"), records)
                assert read_groups(path.with_name("out.jsonl"))[0] == records


def _outcome(read: Any, path: Path) -> tuple[str, list[Any]]:
    """What reading says, and what it gives."""
    try:
        records, report = read(path)
    except UserError as error:
        return str(error), []
    assert len(records) == report.kept > 0
    return str(report), records


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROW | VALUE, max_size=4), st.sampled_from(["r.json", "r.jsonl"]))
def test_any_json_is_read_or_refused_in_one_sentence(rows, name):
    lines = name == "r.jsonl"
    raw = "\n".join(map(json.dumps, rows)) if lines else json.dumps(rows)
    _read_both(raw.encode(), name)


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=60) | st.text(max_size=40).map(str.encode),
    st.sampled_from(["r.json", "r.jsonl", "r.csv", "r.tsv", "r.txt", "r", "r.gz"]),
)
def test_any_bytes_are_read_or_refused_in_one_sentence(raw, name):
    _read_both(raw, name)


TEXT = st.text(max_size=12)
META = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | TEXT, max_size=2)


@st.composite
def groups(draw: st.DrawFn, name: str) -> Group:
    size = draw(st.integers(0, 4))
    completions = [
        {"id": f"{name}-{k}", "prompt_id": name, "text": draw(TEXT), "settings": draw(META)}
        for k in range(size)
    ]
    numbers = st.lists(st.floats(-9, 9), min_size=size, max_size=size)
    views = {"ranks": draw(st.none() | numbers), "scores": draw(st.none() | numbers)}
    judgment = {
        "id": f"{name}-j",
        "prompt_id": name,
        "rater": draw(TEXT),
        "kind": "rating",
        "value": 5,
        "completions": [f"{name}-0"],
        "seconds": draw(st.none() | st.floats(0, 1e6)),
    }
    content = draw(
        TEXT | st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": TEXT}))
    )
    return Group.from_json(
        {
            "prompt": {"id": name, "content": content, "meta": draw(META)},
            "completions": completions,
            "judgments": [judgment] if size else [],
            "preference": draw(st.none() | st.just(views)),
        }
    )


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(TEXT.filter(bool), min_size=1, max_size=4, unique=True))
def test_groups_come_back_exactly(data, names):
    written = [data.draw(groups(name)) for name in names]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "groups.jsonl"
        write_groups(path, written)
        found, report = read_groups(path)
    assert found == written
    assert (report.format, report.kept, report.refused) == ("Suffrage groups", len(names), ())


@pytest.mark.parametrize("form", GROUP_FORMATS + PROMPT_FORMATS, ids=lambda form: form.name)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_values_in_the_fields_of_a_format(form, data):
    """Rows that do have the fields reach the reader itself."""
    names = [data.draw(st.sampled_from(field.split("|"))) for field in form.fields]
    row = {name: data.draw(VALUE) for name in names}
    _read_both(json.dumps([row, row]).encode(), "r.json")
