"""A reward model finds who votes alike, and trains a head for each group."""

from __future__ import annotations

import json

import pytest
import tiny

from suffrage.core.errors import SettingsError
from suffrage.core.records import Judgment, Preference
from suffrage.data.read import write_groups
from suffrage.train.run import train_offline

LONG, SHORT = ("Ann", "Bo", "Cy", "Di"), ("Eve", "Flo")


@pytest.fixture
def camps(tmp_path) -> str:
    """Four raters like `the the the`, two `sea sea`, on prompts of their own answers."""
    groups = []
    for number in range(24):
        texts = (f"the the the {number % 7}", f"sea sea {number % 5}")
        group = tiny.group(f"p{number}", f"ask {number}", texts, Preference())
        ids = tuple(completion.id for completion in group.completions)
        judgments = tuple(
            Judgment(id=rater, prompt_id=group.prompt.id, rater=rater, kind="pair",
                     value="a" if rater in LONG else "b", completions=ids)
            for rater in (*LONG, *SHORT)
        )  # fmt: skip
        groups.append(group.model_copy(update={"judgments": judgments, "preference": None}))
    write_groups(tmp_path / "camps.jsonl", groups)
    return str(tmp_path / "camps.jsonl")


@pytest.mark.parametrize("setting", ["groups:2", "groups:auto"])
def test_a_head_for_each_group_that_is_found(setting, camps, settings, tmp_path):
    made = settings("reward", data=camps, heads=setting, holdout=0.25, epochs=4, lr=3e-3)
    finished = train_offline(made, tmp_path / "run")
    found = json.loads((tmp_path / "run" / "rater_groups.json").read_text())
    assert found == dict.fromkeys(LONG, "group-1") | dict.fromkeys(SHORT, "group-2")
    assert any("group-1: Ann, Bo, Cy, Di; group-2: Eve, Flo" in note for note in finished.notes)
    assert any("held-out vote" in note for note in finished.notes) == (setting == "groups:auto")
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert config["reward_heads"] == ["group-1", "group-2"]
    assert finished.metrics["eval/accuracy"] > 0.95  # one head could reach two thirds
    assert train_offline(made, tmp_path / "run").reused


def test_a_wrong_number_is_told(camps, settings, tmp_path):
    for wrong in ("groups:1", "groups:some"):
        with pytest.raises(SettingsError, match="write groups:2 \\(or more\\), or groups:auto"):
            train_offline(settings("reward", data=camps, heads=wrong), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_votes_without_raters_have_no_groups(settings, tmp_path):
    with pytest.raises(SettingsError, match="needs votes by named raters"):
        train_offline(settings("reward", heads="groups:2"), tmp_path / "run")
