"""The demo, small: killed in the middle it carries on, and a second run has nothing to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from suffrage.core.errors import RunError
from suffrage.demo.run import before_and_after, figures, run_demo
from suffrage.demo.setting import Sizes
from suffrage.demo.stages import STAGES

SMALL = Sizes(
    documents=6000,
    demonstrations=96,
    rated_prompts=24,
    completions=3,
    raters_per_prompt=11,
    ppo_prompts=48,
    heldout_prompts=40,
    samples=2,
)
DRIVER = """
import sys
from pathlib import Path
from suffrage.demo.run import run_demo
from suffrage.demo.setting import Sizes
for row in run_demo(Path(sys.argv[1]), "zh", 3, Sizes(*map(int, sys.argv[2].split()))):
    print(row["name"], row["reused"], flush=True)
"""
WORDS = " ".join(str(value) for value in vars(SMALL).values())


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    cache = str(tmp_path_factory.mktemp("cache"))
    return {**os.environ, "SUFFRAGE_CACHE": cache}


def command(out: Path) -> list[str]:
    return [sys.executable, "-c", DRIVER, str(out), WORDS]


def run_to_the_end(out: Path, environment: dict[str, str]) -> list[str]:
    done = subprocess.run(
        command(out), env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    return done.stdout.splitlines()


def kill_once(out: Path, environment: dict[str, str], appears: str) -> None:
    """Start the demo and kill -9 it as soon as a file is there."""
    process = subprocess.Popen(command(out), env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not (out / appears).exists():
        assert process.poll() is None, "the demo ended before the file appeared"
        assert time.monotonic() < deadline, f"{appears} never appeared"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def finished(tmp_path_factory, environment):
    """A demo that was killed three times: in SFT, in PPO, and right before the report."""
    out = tmp_path_factory.mktemp("demo") / "killed"
    for appears in ("sft/settings.json", "ppo/metrics.jsonl", "stance.json"):
        kill_once(out, environment, appears)
    return out, run_to_the_end(out, environment)


def test_a_demo_killed_three_times_ends_as_if_nothing_had_happened(finished, environment):
    out, lines = finished
    assert [line.split()[0] for line in lines] == [stage.name for stage in STAGES]
    straight = out.with_name("straight")
    run_to_the_end(straight, environment)
    for name in ("stance.json", "reward.json", "raters.json", "ppo/metrics.jsonl"):
        assert (out / name).read_bytes() == (straight / name).read_bytes(), name


def test_what_was_done_before_the_kill_is_not_done_again(finished):
    _, lines = finished
    reused = {line.split()[0] for line in lines if line.endswith("True")}
    assert {"world", "base", "sft", "complete", "vote", "agree", "reward", "ppo"} <= reused


def test_a_second_run_has_nothing_to_do(finished):
    out, _ = finished
    assert all(row["reused"] for row in run_demo(out, "zh", 3, SMALL))


def test_another_demo_in_the_same_folder_is_refused(finished):
    out, _ = finished
    with pytest.raises(RunError, match="another demo"):
        list(run_demo(out, "zh", 4, SMALL))


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match="holds no demo"):
        list(run_demo(tmp_path, "en", 0, SMALL))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_what_it_measured_is_there_for_people_and_programs(finished):
    out, _ = finished
    rows = before_and_after(out).rows
    assert len(rows) == 3
    assert [answer.model for answer in rows[0].answers] == ["SFT", "PPO", "DPO"]
    assert json.dumps(figures(out))
    assert "<html" in (out / "report.html").read_text(encoding="utf-8")
