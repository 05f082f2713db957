"""Simulated raters in a project: they do all the work there is, and what is known of them shows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from suffrage.core.errors import DataError
from suffrage.core.records import Judgment
from suffrage.label.fill import fill
from suffrage.label.store.contents import TaskPlan, add_groups, add_tasks, groups
from suffrage.label.store.database import Store, open_store
from suffrage.label.store.raters import add_rater
from suffrage.stats.raters import raters_result
from suffrage.worlds.adaptation import load_world
from suffrage.worlds.adaptation.labelling import groups_to_judge
from suffrage.worlds.adaptation.raters import panel, rater_utility


def project(path: Path, plan: TaskPlan, prompts: int = 12) -> Store:
    store = open_store(path)
    add_groups(store, groups_to_judge(load_world("en"), prompts, 3, seed=1))
    add_tasks(store, plan)
    return store


def votes_of(store: Store) -> list[Judgment]:
    return [judgment for group in groups(store) for judgment in group.judgments]


def work(store: Store, seed: int = 0, most: int = 1 << 30) -> int:
    return fill(store, panel(), rater_utility(load_world("en")), seed, most)


@pytest.mark.parametrize("kind", ["pair", "ranking", "rating", "grade", "thumb"])
def test_every_item_gets_the_votes_that_were_wanted(tmp_path, kind):
    store = project(tmp_path / "p.db", TaskPlan(kind=kind, overlap=2, pairs=1), prompts=4)
    items = {"ranking": 4, "pair": 4}.get(kind, 12)
    assert work(store) == 2 * items
    votes = votes_of(store)
    judged = Counter((v.prompt_id, frozenset(v.completions)) for v in votes)
    assert set(judged.values()) == {2}
    assert {v.rater_kind for v in votes} == {"simulated"}
    assert max(Counter((v.rater, v.prompt_id, v.completions) for v in votes).values()) == 1
    assert work(store) == 0  # nothing is left


def test_it_stops_at_the_votes_asked_for_and_goes_on_later(tmp_path):
    store = project(tmp_path / "p.db", TaskPlan(kind="ranking", overlap=3))
    assert work(store, most=10) == 10
    assert len(votes_of(store)) == 10
    assert work(store) == 3 * 12 - 10


def test_who_is_odd_shows_in_the_votes(tmp_path):
    store = project(tmp_path / "p.db", TaskPlan(kind="ranking", overlap=6), prompts=60)
    work(store)
    odd = {row.rater: row.odd for row in raters_result(votes_of(store)).raters if row.odd}
    assert odd == {"Chia-Ling": "reversed", "Fang-Yu": "careless", "Ivan": "side"}


def test_demonstrations_are_skipped_for_they_write_nothing(tmp_path):
    store = project(tmp_path / "p.db", TaskPlan(kind="demonstration", overlap=1), prompts=3)
    assert work(store) == 0
    assert votes_of(store) == []


def test_the_name_of_a_person_is_not_taken(tmp_path):
    store = project(tmp_path / "p.db", TaskPlan(kind="ranking"))
    add_rater(store, "Ana")
    with pytest.raises(DataError, match="'Ana' is human"):
        work(store)


def test_the_worlds_answers_to_judge_are_distinct_well_formed_and_mixed():
    for lang in ("en", "zh"):
        world = load_world(lang)
        made = groups_to_judge(world, 10, 4, seed=2)
        assert made == groups_to_judge(world, 10, 4, seed=2) != groups_to_judge(world, 10, 4, 3)
        for group in made:
            texts = [completion.text for completion in group.completions]
            assert len(set(texts)) == 4
            stances = {world.parse(group.prompt.text, text).stance for text in texts}  # type: ignore[union-attr]
            assert stances == {"support", "oppose", "balanced"}
