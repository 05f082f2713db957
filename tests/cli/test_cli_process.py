"""What only a process of its own shows: imports, signals, pipes, a full disk, a poor terminal."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "suffrage"]
TRAIN = ["train", "sft", "--model", "m", "--data", "pairs.jsonl", "--out", "run"]


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, **changes}


@pytest.mark.parametrize(
    "words", [["--help"], ["generate", "--help"], ["agree", "--help"], ["nil"]]
)
def test_what_computes_nothing_imports_nothing_heavy(words):
    code = (
        "import sys\n"
        "from suffrage.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'matplotlib', 'datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True)


def test_control_c_stops_with_one_sentence_and_the_same_command_carries_on(home):
    words = [*COMMAND, *TRAIN, "--batch-size", "4", "--epochs", "40", "--checkpoint-every", "5"]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    wait_for(home / "run" / "checkpoints" / "step-00000005", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (out, err) == (b"", b"suffrage: stopped; the same command carries on.\n")
    assert not (home / "run" / "done.json").exists()
    resumed = subprocess.run([*words, "--json"], capture_output=True, env=environment(), check=True)
    assert json.loads(resumed.stdout)["metrics"]["step"] == 120  # 12 rows, 4 a step, 40 epochs


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"no {path} in a minute"
        time.sleep(0.02)


def test_a_reader_that_has_gone_is_no_error():
    pipe, end = os.pipe()
    os.close(pipe)  # as `head` does, before anything is written
    try:
        ended = subprocess.run([*COMMAND, "--help"], stdout=end, stderr=subprocess.PIPE)
    finally:
        os.close(end)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("limit", [2000, 53000])  # less than the weights, less than the optimizer
def test_a_full_disk_is_one_sentence_and_the_run_can_be_taken_up(suffrage, home, limit):
    """A limit on the size of a file stands for the disk: the same error where it counts."""
    words = [*TRAIN, "--batch-size", "4", "--checkpoint-every", "2"]
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        ended = suffrage(*words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == (
        "suffrage: run/checkpoints/step-00000002: the disk is full; free some space and run the "
        "same command again.\n"
    )
    assert list((home / "run" / "checkpoints").iterdir()) == []
    assert suffrage(*words).status == 0
    assert (home / "run" / "done.json").exists()


def test_a_terminal_without_chinese_shows_codes_instead_of_failing(home):
    (home / "電影.jsonl").write_bytes(b"")
    poor = environment(PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    words = [*COMMAND, "agree", "電影.jsonl"]
    ended = subprocess.run(words, capture_output=True, env=poor)
    assert ended.returncode == 2
    said = b"suffrage: \\u96fb\\u5f71.jsonl: is empty; there is nothing to read.\n"
    assert ended.stderr == said
