"""A run for each strength of the anchor, and a page about them."""

from __future__ import annotations

import json

import pytest
from ten_groups import groups

from suffrage.cli.main import main
from suffrage.core.errors import SettingsError
from suffrage.data.read import write_groups
from suffrage.objectives.table import OBJECTIVES
from suffrage.train.rl.frontier import anchor_of, strengths_of


@pytest.fixture
def words(tmp_path, monkeypatch, model_folder):
    (tmp_path / "variety.py").write_text(
        "def share(prompts, texts):\n    return [len(set(text)) / 8 for text in texts]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    write_groups(tmp_path / "prompts.jsonl", groups(8))
    return [
        "train", "rloo", "--model", str(model_folder), "--reward", "variety:share", "--data",
        "prompts.jsonl", "--max-new-tokens", "6", "--lr", "0.01", "--epochs", "4", "--json",
    ]  # fmt: skip


def test_each_strength_is_a_run_and_the_page_draws_them(words, tmp_path, capsys):
    words += ["--holdout", "0.25", "--frontier", "2,0.01", "--out", "f"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    weak, strong = told["points"]
    assert (weak["kl_coef"], strong["kl_coef"]) == (0.01, 2.0)
    assert weak["eval/kl"] > strong["eval/kl"]  # a weaker anchor lets the policy go further
    for strength in ("0.01", "2"):
        settings = json.loads((tmp_path / f"f/kl_coef-{strength}/settings.json").read_text())
        assert settings["options"]["kl_coef"] == float(strength)
    assert "kl_coef-0.01" in (tmp_path / "f" / "frontier.html").read_text(encoding="utf-8")
    made = (tmp_path / "f/kl_coef-2/done.json").stat().st_mtime_ns
    assert main(words) == 0
    assert (tmp_path / "f/kl_coef-2/done.json").stat().st_mtime_ns == made  # not trained again


def test_a_run_that_stops_early_is_a_point_too(words, capsys):
    words += ["--holdout", "0.25", "--frontier", "0.01,2", "--out", "f", "--stop-kl", "0.000001"]
    assert main(words) == 0
    assert len(json.loads(capsys.readouterr().out)["points"]) == 2


def test_every_strength_is_checked_before_the_first_is_trained(words, tmp_path, capsys):
    assert main([*words, "--holdout", "0.25", "--frontier", "0.1,inf", "--out", "f"]) == 2
    assert "--kl-coef of rloo is inf" in capsys.readouterr().err
    assert main([*words, "--holdout", "0.25", "--frontier", "", "--out", "f"]) == 2
    assert not (tmp_path / "f").exists()


def test_without_held_out_prompts_there_is_nothing_to_draw(words, capsys):
    assert main([*words, "--frontier", "2,0.01", "--out", "f"]) == 2
    assert "give --eval-data or a --holdout" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["", "0.1,,0.2", "a,b"])
def test_strengths_are_numbers(given):
    with pytest.raises(SettingsError, match="give strengths by comma"):
        strengths_of(given)
    assert strengths_of("0.2,0.1,0.2") == [0.1, 0.2]


def test_what_has_no_anchor_or_reads_its_answers_has_no_frontier():
    found = {name: anchor_of(row) for name, row in OBJECTIVES.items() if anchor_of(row)}
    assert found == {
        **dict.fromkeys(("ppo", "rloo", "grpo", "reinforce"), "kl_coef"), "online-dpo": "beta"
    }  # fmt: skip
