"""The demo's votes lie in a labelling project and come out of it as they were given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from suffrage.core.files import read_jsonl
from suffrage.core.records import Group, Judgment
from suffrage.data.read import read_groups, write_groups
from suffrage.demo import stages
from suffrage.demo.setting import FULL, Demo
from suffrage.label.simulate import simulate_rankings
from suffrage.label.store.database import open_store
from suffrage.label.store.progress import progress
from suffrage.worlds.adaptation.labelling import groups_to_judge
from suffrage.worlds.adaptation.raters import panel, rater_utility


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    made = Demo(tmp_path, "en", 3, replace(FULL, raters_per_prompt=4))
    write_groups(made.path("completions.jsonl"), groups_to_judge(made.world, 9, 3, seed=1))
    return made


def given(demo: Demo) -> list[Judgment]:
    """What the simulated raters say, straight from them."""
    groups, _ = read_groups(demo.path("completions.jsonl"))
    return simulate_rankings(groups, panel(), rater_utility(demo.world), 4, demo.seed)


def kept(demo: Demo) -> list[Judgment]:
    rows = read_jsonl(demo.path("feedback.jsonl"))
    return [vote for row in rows for vote in Group.from_json(row).judgments]


def test_every_vote_comes_out_as_it_was_given_and_in_that_order(demo: Demo) -> None:
    assert stages.make_votes(demo)["rankings"] == 36
    assert kept(demo) == given(demo)


def test_the_teams_view_finds_all_of_it_done(demo: Demo) -> None:
    stages.make_votes(demo)
    store = open_store(demo.path("label.db"))
    now = progress(store, store.clock())
    store.close()
    assert (now.items, now.finished, now.votes, now.wanted) == (9, 9, 36, 36)


@pytest.mark.parametrize("step", ["add_tasks", "record", "write_groups"])
def test_a_stage_that_was_cut_off_is_made_again_the_same(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(stages, step, cut_off)
        with pytest.raises(KeyboardInterrupt):
            stages.make_votes(demo)
    stages.make_votes(demo)
    assert kept(demo) == given(demo)
