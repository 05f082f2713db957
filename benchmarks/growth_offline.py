"""Time and memory of DPO as the data grows, and as the vocabulary does.

    python -m benchmarks.growth_offline --hh HH.jsonl.gz

The random Llama of `benchmarks/offline.py`, an epoch in batches of 8, each row in a process of its
own. First, so many pairs: the processor's seconds, loading included, and beside them those of a
further hundred pairs, which stay the same where growth is linear. Then so large a vocabulary: the
most memory the process ever held, and what of it neither the imports nor the weights take (four
numbers a parameter: itself, its gradient, AdamW's two moments), which stays the same where logits
never stand in memory whole.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.offline import BATCH, bpe, build_model, usable
from suffrage.core.machine import peak_memory_mib
from suffrage.data.read import read_groups, write_groups
from suffrage.models.language_model import load
from suffrage.train.run import train_offline
from suffrage.train.settings import make_settings

BYTES = 4 * 4  # a parameter in single precision, its gradient and two moments
TOKENS = 32_000  # of the tokenizer; a larger vocabulary has ids that no text has
MIB = 1 << 20


def prepare(args: argparse.Namespace) -> None:
    """The models, one a vocabulary, and the pairs."""
    shutil.rmtree(args.out, ignore_errors=True)
    groups = [group for group in read_groups(str(args.hh))[0] if usable(group)]
    texts = [group.prompt.text + one.text for group in groups for one in group.completions]
    tokenizer = bpe(texts, TOKENS)
    for size in {TOKENS, *args.vocabularies}:
        build_model(texts, size).save_pretrained(args.out / f"model-{size}")
        tokenizer.save_pretrained(args.out / f"model-{size}")
    for count in args.pairs:
        write_groups(args.out / f"{count}.jsonl", groups[:count])


def one(out: Path, count: int, vocabulary: int) -> dict[str, Any]:
    """An epoch of so many pairs: seconds of the processor, peak memory and what takes it."""
    imports, model = peak_memory_mib() or 0, str(out / f"model-{vocabulary}")
    settings = make_settings(
        method="dpo",
        model=model,
        data=str(out / f"{count}.jsonl"),
        device="cpu",
        batch_size=BATCH,
        lr=1e-5,
        overlong="skip",
    )
    run = out / f"run-{count}-{vocabulary}"
    shutil.rmtree(run, ignore_errors=True)
    started = time.process_time()
    train_offline(settings, run)
    seconds, peak = time.process_time() - started, peak_memory_mib() or 0
    weights = load(model, "cpu").parameters * BYTES / MIB
    return {"seconds": seconds, "mib": peak, "beside": peak - imports - weights}


def alone(args: argparse.Namespace, count: int, vocabulary: int) -> dict[str, Any]:
    """The same in a new process, where no reference is known from before."""
    words = ["--hh", str(args.hh), "--out", str(args.out), "--one", str(count), str(vocabulary)]
    command = [sys.executable, "-m", "benchmarks.growth_offline", *words]
    cache = {"SUFFRAGE_CACHE": str(args.out / f"cache-{count}-{vocabulary}")}
    environment = {**os.environ, **cache}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def tell_pairs(args: argparse.Namespace) -> None:
    print("| pairs | seconds | a further hundred | peak MiB |\n|---|---|---|---|")
    before: tuple[int, float] | None = None
    for count in args.pairs:
        found = alone(args, count, TOKENS)
        seconds, more = found["seconds"], ""
        if before is not None:
            more = f"{100 * (seconds - before[1]) / (count - before[0]):.1f}"
        print(f"| {count} | {seconds:.1f} | {more} | {found['mib']:.0f} |", flush=True)
        before = count, seconds


def tell_vocabularies(args: argparse.Namespace) -> None:
    print("\n| vocabulary | peak MiB | beside imports and weights |\n|---|---|---|")
    for size in args.vocabularies:
        found = alone(args, args.pairs[0], size)
        print(f"| {size:,} | {found['mib']:.0f} | {found['beside']:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hh", type=Path, required=True, help="HH dialogues")
    parser.add_argument("--pairs", nargs="+", type=int, default=[64, 128, 256, 512])
    parser.add_argument("--vocabularies", nargs="+", type=int, default=[32_000, 64_000, 128_000])
    parser.add_argument("--out", type=Path, default=Path("build/growth-offline"))
    parser.add_argument("--one", nargs=2, type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(args.out, *args.one)))
        return
    prepare(args)
    tell_pairs(args)
    tell_vocabularies(args)


if __name__ == "__main__":
    main()
