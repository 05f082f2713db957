"""Run directories: created once, taken up again, and never written over."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from suffrage.core.errors import RunError
from suffrage.core.files import read_jsonl, write_jsonl
from suffrage.core.runs import RunDirectory, open_run

SETTINGS = {"method": "dpo", "seed": 3, "options": {"beta": 0.1}, "lr": None}


def test_settings_are_the_first_file_and_the_environment_the_second(tmp_path):
    run = open_run(tmp_path / "a" / "run", SETTINGS)
    assert not (tmp_path / "a").exists()  # a command that cannot start leaves nothing behind
    run.start()
    assert sorted(path.name for path in run.path.iterdir()) == ["environment.json", "settings.json"]
    assert json.loads((run.path / "settings.json").read_text()) == SETTINGS
    environment = json.loads((run.path / "environment.json").read_text())
    assert {"suffrage", "python", "torch", "platform", "cpus", "started", "command"} <= set(
        environment
    )


def test_the_same_settings_take_the_run_up_again(tmp_path):
    first = open_run(tmp_path / "run", SETTINGS)
    first.start()
    first.log({"step": 1, "loss": 0.5}, {"seconds": 2.0})
    again = open_run(tmp_path / "run", {**SETTINGS})
    assert again.metrics == [{"step": 1, "loss": 0.5}]
    assert again.seconds == 2.0
    assert again.done is None


def test_what_was_resolved_is_kept_from_the_start_and_tells_no_runs_apart(tmp_path):
    first = {"lr": 0.0007, "device": "cuda:0"}
    replace(open_run(tmp_path / "run", SETTINGS), resolved=first).start()
    written = (tmp_path / "run" / "settings.json").read_bytes()
    assert json.loads(written) == {**SETTINGS, "resolved": first}
    again = replace(open_run(tmp_path / "run", SETTINGS), resolved={"device": "cpu"})
    again.start()  # on another machine
    assert (tmp_path / "run" / "settings.json").read_bytes() == written
    with pytest.raises(RunError, match=r"holds another run \(seed is 3 there and 4 here\)"):
        open_run(tmp_path / "run", {**SETTINGS, "seed": 4})


def test_other_settings_are_refused_by_name_and_nothing_is_touched(tmp_path):
    open_run(tmp_path / "run", SETTINGS).start()
    before = (tmp_path / "run" / "settings.json").read_bytes()
    with pytest.raises(RunError, match=r"holds another run \(seed is 3 there and 4 here\); choose"):
        open_run(tmp_path / "run", {**SETTINGS, "seed": 4})
    with pytest.raises(
        RunError, match=r"options is \{'beta': 0.1\} there and \{'beta': 0.2\} here"
    ):
        open_run(tmp_path / "run", {**SETTINGS, "options": {"beta": 0.2}})
    with pytest.raises(RunError, match=r"epochs is None there and 2 here"):
        open_run(tmp_path / "run", {**SETTINGS, "epochs": 2})
    assert (tmp_path / "run" / "settings.json").read_bytes() == before


def test_other_contents_of_the_same_name_are_another_run(tmp_path):
    open_run(tmp_path / "run", {"data": "d", "eval_data_key": "a"}).start()
    with pytest.raises(RunError, match=r"holds another run \(what --eval-data names has changed"):
        open_run(tmp_path / "run", {"data": "d", "eval_data_key": "b"})


def test_a_kill_before_the_environment_is_made_up_for(tmp_path):
    run = open_run(tmp_path / "run", SETTINGS)
    run.start()
    written = (run.path / "settings.json").read_bytes()
    (run.path / "environment.json").unlink()
    open_run(tmp_path / "run", SETTINGS).start()
    assert "started" in json.loads((run.path / "environment.json").read_text())
    assert (run.path / "settings.json").read_bytes() == written


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(RunError, match="exists and is no run directory; choose another --out"):
        open_run(tmp_path, SETTINGS)
    with pytest.raises(RunError, match="exists and is no run directory"):
        open_run(tmp_path / "thesis.tex", SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_empty_folder_is_taken(tmp_path):
    assert open_run(tmp_path, SETTINGS).path == tmp_path


def test_what_a_killed_process_left_before_its_first_file_is_no_obstacle(tmp_path):
    (tmp_path / ".settings.json.x1y2").write_text('{"method": "d')
    assert open_run(tmp_path, SETTINGS).path == tmp_path


def test_damaged_settings_are_said(tmp_path):
    (tmp_path / "settings.json").write_text("[]")
    with pytest.raises(RunError, match=r"settings\.json is damaged"):
        open_run(tmp_path, SETTINGS)


@pytest.fixture
def run(tmp_path) -> RunDirectory:
    made = open_run(tmp_path / "run", SETTINGS)
    made.start()
    for step in range(4):
        made.log({"step": step, "loss": 1 / (step + 1)}, {"seconds": step / 4})
    return made


def test_a_log_is_rewound_to_its_checkpoint(run):
    run.rewind(2)
    assert [row["step"] for row in run.metrics] == [0, 1, 2]
    assert run.seconds == 0.75
    run.rewind(-1)
    assert run.metrics == []
    assert run.seconds == 0


def test_the_answers_shown_are_rewound_with_it(run):
    shown = run.path / "samples.jsonl"
    write_jsonl(shown, [{"step": step, "completion": "a"} for step in (0, 2, 2, 3)])
    run.rewind(2)
    assert [row["step"] for row in read_jsonl(shown)] == [0, 2, 2]


@pytest.mark.parametrize("half", ['{"step": 4, "lo', "{"])
def test_a_half_written_last_line_is_forgotten(run, half):
    for name in ("metrics.jsonl", "timing.jsonl"):
        with (run.path / name).open("a") as file:
            file.write(half)
    run.rewind(3)
    assert [row["step"] for row in run.metrics] == [0, 1, 2, 3]


def test_a_log_of_half_a_line_is_empty(run):
    (run.path / "metrics.jsonl").write_text('{"st')
    run.rewind(3)
    assert run.metrics == []


def test_a_run_is_done_when_it_says_so(run):
    run.finish({"metrics": {"loss": 0.25}})
    assert run.done == {"metrics": {"loss": 0.25}}
    assert run.model == run.path / "model"
    assert run.checkpoints == run.path / "checkpoints"
