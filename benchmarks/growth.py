"""Time and memory of one step of a method that samples, as the episodes of the step grow.

    python -m benchmarks.growth --demo FOLDER --methods rloo ppo

Each row is a process of its own: one step on so many episodes (4 answers a prompt, 40 tokens), its
processor's seconds, loading included, and the most memory the process ever held. Linear growth
shows as further seconds and memory a further thousand episodes that stay the same from row to row.
`--demo` is the folder of `suffrage demo`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from suffrage.core.files import write_jsonl
from suffrage.core.machine import peak_memory_mib
from suffrage.data.read import read_prompts
from suffrage.train.rl.run import train_online
from suffrage.train.settings import make_settings

SAMPLES, NEW_TOKENS = 4, 40


def letters(prompts: list[str], completions: list[str]) -> list[float]:
    """A reward that costs nothing."""
    return [float(len(set(text))) for text in completions]


def step(demo: Path, method: str, episodes: int, out: Path) -> dict[str, Any]:
    """Seconds of the step and the process's peak memory."""
    count = episodes // SAMPLES
    known, _ = read_prompts(str(demo / "prompts.jsonl"))
    rows = [{"id": str(i), "prompt": known[i % len(known)].text} for i in range(count)]
    data = out / f"{method}-{episodes}.jsonl"
    write_jsonl(data, rows)
    settings = make_settings(
        method=method,
        model=str(demo / "sft"),
        data=str(data),
        batch_size=count,
        device="cpu",
        options={"samples": SAMPLES, "max_new_tokens": NEW_TOKENS, "rollout_epochs": 1},
    )
    before = time.process_time()
    train_online(settings, "benchmarks.growth:letters", out / f"{method}-{episodes}")
    return {"seconds": time.process_time() - before, "mib": peak_memory_mib()}


def alone(demo: Path, method: str, episodes: int, out: Path) -> dict[str, Any]:
    """The same in a new process."""
    words = ["--demo", str(demo), "--out", str(out), "--one", method, str(episodes)]
    command = [sys.executable, "-m", "benchmarks.growth", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=["rloo", "ppo"])
    parser.add_argument("--episodes", nargs="+", type=int, default=[128, 256, 512, 1024, 2048])
    parser.add_argument("--out", type=Path, default=Path("build/growth"))
    parser.add_argument("--one", nargs=2, metavar=("METHOD", "EPISODES"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(step(args.demo, args.one[0], int(args.one[1]), args.out)))
        return
    shutil.rmtree(args.out, ignore_errors=True)
    args.out.mkdir(parents=True)
    print("| method | episodes | seconds | a further thousand | peak MiB | a further thousand |")
    print("|---|---|---|---|---|---|")
    for method in args.methods:
        before: tuple[int, dict[str, Any]] | None = None
        for episodes in args.episodes:
            found = alone(args.demo, method, episodes, args.out)
            more = ["", ""]
            if before is not None:
                thousands = (episodes - before[0]) / 1000
                more = [f"{(found[k] - before[1][k]) / thousands:.0f}" for k in ("seconds", "mib")]
            seconds, mib = f"{found['seconds']:.1f}", f"{found['mib']:.0f}"
            print("|", " | ".join([method, str(episodes), seconds, more[0], mib, more[1]]), "|")
            before = episodes, found


if __name__ == "__main__":
    main()
