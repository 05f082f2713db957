"""Training against an LLM judge: it drives a policy, and a killed run keeps what it said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chat_server import Reply, choices
from ten_groups import groups
from test_resume import killed

from suffrage.core.errors import ModelError, NumericalError, RunError
from suffrage.core.runs import RunDirectory
from suffrage.data.read import write_groups
from suffrage.train.rl.run import members_of, train_online

OPTIONS = {"samples": 2, "max_new_tokens": 6}


@pytest.fixture
def prompts(tmp_path: Path) -> str:
    write_groups(tmp_path / "prompts.jsonl", groups(8))
    return str(tmp_path / "prompts.jsonl")


def moody(body: dict[str, Any], count: int) -> Reply:
    """Never the same twice, and now and then no rating at all."""
    return choices("hm" if count % 5 == 0 else str(1 + count % 10))


def test_a_moody_judge_is_asked_once_and_a_killed_run_goes_on_with_what_it_said(
    serve, settings, prompts, tmp_path
):
    server = serve(moody)
    name = f"judge:{server.endpoint().name}"
    made = settings("online-dpo", data=prompts, epochs=4, checkpoint_every=1, options=OPTIONS)
    out = tmp_path / "run"
    killed("log", made, name, out)
    before = (out / "metrics.jsonl").read_bytes()
    assert json.loads(before.splitlines()[-1])["step"] == 4  # the last checkpoint is of step 3
    finished = train_online(made, name, out)
    assert (out / "metrics.jsonl").read_bytes().startswith(before)
    rows = [json.loads(line) for line in (out / "ratings.jsonl").read_text().splitlines()]
    assert len({row["key"] for row in rows}) == len(rows) == len(server.asked)
    unread = sum(row["reply"] == "hm" for row in rows)
    assert 0 < unread <= finished.metrics["left_out"]
    assert any("had no reward and were left out" in note for note in finished.notes)


def test_a_local_judge_with_criteria_of_its_own(settings, prompts, tmp_path, model_folder):
    (tmp_path / "kind.txt").write_text("It is kind.")
    names = [f"judge:{tmp_path}/kind.txt:{model_folder}", f"0.5*judge:{model_folder}"]
    made = settings("rloo", data=prompts, max_steps=1, options=OPTIONS)
    with pytest.raises(NumericalError, match="no finite number for 8 of 8"):
        train_online(made, names, tmp_path / "run")  # its context of 128 is too short for any
    (tmp_path / "kind.txt").write_text("It is curt.")
    with pytest.raises(RunError, match="what --reward-2 names has changed since"):
        train_online(made, names, tmp_path / "run")
    members = members_of(names, lambda name: None)  # type: ignore[arg-type,return-value]
    assert [(m.name, m.weight) for m in members] == [("kind", 1.0), ("lm", 0.5)]


def test_a_wrong_key_ends_the_run_with_one_sentence(serve, settings, prompts, tmp_path):
    name = f"judge:{serve(lambda *_: (401, {}, 'no')).endpoint().name}"
    made = settings("rloo", data=prompts, options=OPTIONS)
    with pytest.raises(ModelError, match="lets nobody in without its key"):
        train_online(made, name, tmp_path / "run")
    assert RunDirectory(tmp_path / "run").metrics == []
