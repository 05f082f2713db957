"""Comparisons from judgments and from rows of tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from suffrage.core.errors import DataError
from suffrage.core.records import Completion, Group, Judgment, Prompt
from suffrage.stats.comparison_rows import entry_of_row, is_comparison
from suffrage.stats.comparisons import (
    Match,
    check_sources_differ,
    clusters_of,
    entries_of_groups,
    from_matches,
)

SOURCES = {"c1": "gold", "c2": "tin", "c3": "lead"}


def group(*judgments: Judgment, sources: dict[str, str] = SOURCES) -> Group:
    completions = [Completion(id=i, prompt_id="p", text=i, source=s) for i, s in sources.items()]
    prompt = Prompt(id="p", content="?", meta={"topic": "films", "rater": "not this one"})
    return Group(prompt=prompt, completions=tuple(completions), judgments=judgments)


def said(kind: Any, value: Any, *judged: str, **more: Any) -> Judgment:
    named = {"id": f"{kind}-{judged}", "prompt_id": "p", "rater": "Ann", **more}
    return Judgment(kind=kind, value=value, completions=judged, **named)


def test_a_ranking_gives_every_pair_and_its_order() -> None:
    vote = said("ranking", (("c3",), ("c1", "c2")), "c1", "c2", "c3", shown=("c2", "c3", "c1"))
    (entry,) = entries_of_groups([group(vote)])
    found = {(m.first, m.second): (m.result, m.side) for m in entry.matches}
    assert found == {
        ("lead", "gold"): (1.0, 1.0),
        ("lead", "tin"): (1.0, -1.0),
        ("gold", "tin"): (0.5, -1.0),
    }
    assert entry.order == (("lead",), ("gold", "tin"))
    assert entry.fields == {"topic": "films", "rater": "Ann", "criterion": "overall"}
    assert {(m.prompt, m.rater) for m in entry.matches} == {("p", "Ann")}


def test_ratings_are_compared_and_one_alone_says_nothing() -> None:
    first, second = said("rating", 6, "c1"), said("rating", 3, "c2")
    (entry,) = entries_of_groups([group(first, second, said("rating", 5, "c3", rater="Bob"))])
    assert entry.matches == (Match("gold", "tin", 1.0, 0.0, "p", "Ann"),)


def test_a_corrected_vote_does_not_count() -> None:
    old = said("pair", "a", "c1", "c2", id="old")
    new = said("pair", "b", "c1", "c2", id="new", supersedes="old")
    (entry,) = entries_of_groups([group(old, new)])
    assert entry.matches[0].result == 0.0


def test_a_completion_of_unknown_origin_is_refused() -> None:
    nameless = {"c1": "gold", "c2": ""}
    with pytest.raises(DataError, match=r"'c2' of prompt 'p' does not say what made it; give"):
        list(entries_of_groups([group(said("pair", "a", "c1", "c2"), sources=nameless)]))


@pytest.mark.parametrize(
    ("row", "result"),
    [
        ({"a": "x", "b": "y", "winner": "a"}, 1.0),
        ({"a": "x", "b": "y", "winner": "y"}, 0.0),
        ({"a": "b", "b": "a", "winner": "a"}, 0.0),  # an item's own name comes first
        ({"model_a": "x", "model_b": "y", "winner": "model_b"}, 0.0),
        ({"model_a": "x", "model_b": "y", "winner": "tie (bothbad)"}, 0.5),
        ({"left": "x", "right": "y", "label": 1}, 1.0),
        ({"first": "x", "second": "y", "outcome": 0.5}, 0.5),
        ({"first": "x", "second": "y", "result": "Tie"}, 0.5),
    ],
)
def test_rows_of_tables(row: dict[str, object], result: float) -> None:
    assert is_comparison(row)
    entry = entry_of_row({**row, "judge": "Ann", "question_id": 7})
    (match,) = entry.matches
    assert (match.result, match.side, match.prompt, match.rater) == (result, 1.0, "7", "Ann")
    assert entry.fields["judge"] == "Ann"
    order = {1.0: ((match.first,), (match.second,)), 0.0: ((match.second,), (match.first,))}
    assert entry.order == order.get(result, ((match.first, match.second),))


def test_rows_that_are_no_comparison() -> None:
    assert not is_comparison({"a": "x", "b": "y", "winner": ""})
    assert not is_comparison(["x", "y", "a"])
    with pytest.raises(ValueError, match=r"winner 'nobody' is neither a, b, tie, 'x' nor 'y'"):
        entry_of_row({"a": "x", "b": "y", "winner": "nobody"})


def test_numbering_keeps_given_items_first_and_leaves_out_selves() -> None:
    rows = [Match("z", "y", 1.0, 0, "p", "Ann"), Match("y", "y", 1.0), Match("y", "x", 0.5, 0, "q")]
    data = from_matches(rows, ("w", "x"))
    assert data.items == ("w", "x", "z", "y")
    assert (data.first_N.tolist(), data.second_N.tolist()) == ([2, 3], [3, 1])
    assert (data.prompts, data.raters) == (("p", "q"), ("Ann", ""))
    assert clusters_of(data, "comparisons") is None
    assert np.array_equal(clusters_of(data, "raters"), [0, 1])  # type: ignore[arg-type]
    assert len(data.take(np.array([1]))) == 1


def test_completions_that_one_source_made_are_not_ranked_by_it() -> None:
    same = {"c1": "world", "c2": "world", "c3": "world"}
    entries = list(entries_of_groups([group(said("pair", "a", "c1", "c2"), sources=same)]))
    with pytest.raises(DataError, match=r"the same `source` \('world'\).*--format comparisons"):
        check_sources_differ(entries)
    two = {"c1": "world", "c2": "world", "c3": "tin"}
    entries += entries_of_groups([group(said("pair", "a", "c1", "c3"), sources=two)])
    check_sources_differ(entries)
    check_sources_differ([])
