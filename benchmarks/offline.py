"""Offline methods against peers: time and memory of the same work, in one run.

    python benchmarks/offline.py --hh HH.jsonl.gz --qa GROUPS.jsonl.gz --out build/offline

A random Llama of 15 M parameters learns from HH dialogues (and a reward from groups of four) in
single precision. Each contestant runs in a process of its own, contestants take turns, and what is
printed are medians of the ratios within a turn, with the peak memory of each process. Times are of
training alone (with the reference and, on our side, saving; without loading), and hold only on an
idle machine.
The trl-* contestants need `pip install trl==1.16.0`; `--only` leaves them out. Without `--qa` the
reward models stay away.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

from suffrage.core.machine import peak_memory_mib
from suffrage.core.records import Group
from suffrage.core.runs import open_run
from suffrage.data.read import read_groups, write_groups
from suffrage.data.views import as_pairs
from suffrage.models.language_model import load
from suffrage.objectives.table import objective
from suffrage.train.examples import make_examples
from suffrage.train.material import read_data
from suffrage.train.outcome import recorded
from suffrage.train.run import train_models
from suffrage.train.settings import make_settings
from suffrage.train.start import models_of

BATCH = 8
SIZES = {"dim": 288, "layers": 6, "heads": 6, "inner": 768, "context": 2048}


# ------------------------------------------------------------- material


def prepare(args: argparse.Namespace) -> None:
    """The model and the data files, once."""
    folder = args.out / "model"
    if not folder.exists():
        groups, _ = read_groups(str(args.hh))
        texts = [g.prompt.text + c.text for g in groups for c in g.completions]
        build_model(texts, args.vocabulary).save_pretrained(folder)
        bpe(texts, args.vocabulary).save_pretrained(folder)
    for name, source, size in (("hh", args.hh, args.pairs), ("qa", args.qa, args.groups)):
        if source is not None and not (args.out / f"{name}.jsonl").exists():
            groups, _ = read_groups(str(source))
            write_groups(args.out / f"{name}.jsonl", [g for g in groups if usable(g)][:size])


def usable(group: Group) -> bool:
    return bool(group.preference and group.preference.pairs)


def bpe(texts: list[str], vocabulary: int) -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>"]
    inner.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=special)
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


def build_model(texts: list[str], vocabulary: int) -> LlamaForCausalLM:
    set_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=SIZES["dim"],
        intermediate_size=SIZES["inner"],
        num_hidden_layers=SIZES["layers"],
        num_attention_heads=SIZES["heads"],
        num_key_value_heads=SIZES["heads"],
        max_position_embeddings=SIZES["context"],
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    return LlamaForCausalLM(config)


# ------------------------------------------------------------- contestants


def ours(method: str, data: str) -> Callable[[argparse.Namespace], Callable[[], Any]]:
    def prepared(args: argparse.Namespace) -> Callable[[], Any]:
        settings = make_settings(
            method=method,
            model=str(args.out / "model"),
            data=str(args.out / f"{data}.jsonl"),
            epochs=args.epochs,
            batch_size=BATCH,
            lr=1e-5,
            overlong="skip",
            device=args.device,
        )
        row = objective(method)
        models = models_of(settings, row, None)
        read = read_data(settings, models.trained, row, None)
        run = open_run(Path(args.scratch) / "run", recorded(settings, {}))
        return lambda: train_models(settings, row.check({}), models, read, run)

    return prepared


def padded(full: bool) -> Callable[[argparse.Namespace], Callable[[], Any]]:
    def prepared(args: argparse.Namespace) -> Callable[[], Any]:
        from benchmarks.padded import train_padded

        bundle = load(args.out / "model", "cpu")
        groups, _ = read_groups(str(args.out / "hh.jsonl"))
        examples, _ = make_examples(groups, bundle.encoder("skip"), objective("dpo"))
        return lambda: train_padded(bundle.model, examples, BATCH, args.epochs, full)

    return prepared


def trl(method: str, data: str) -> Callable[[argparse.Namespace], Callable[[], Any]]:
    def prepared(args: argparse.Namespace) -> Callable[[], Any]:
        from benchmarks.peer_trl import trainer

        groups, _ = read_groups(str(args.out / f"{data}.jsonl"))
        peer = trainer(
            method,
            args.out / "model",
            [row for group in groups for row in trl_rows(method, group)],
            Path(args.scratch) / "trl",
            num_train_epochs=args.epochs,
            # a group of four is six pairs, and a thumb is half a pair
            per_device_train_batch_size=BATCH * (2 if method == "kto" else 1),
            learning_rate=1e-5,
        )
        return peer.train

    return prepared


def trl_rows(method: str, group: Group) -> list[dict[str, Any]]:
    prompt, texts = group.prompt.text, [c.text for c in group.completions]
    pairs = as_pairs(group.preference, method) if group.preference else ()
    if method == "sft":
        return [{"prompt": prompt, "completion": texts[pairs[0].first]}]
    if method == "kto":
        return [
            {"prompt": prompt, "completion": texts[i], "label": label}
            for i, label in ((pairs[0].first, True), (pairs[0].second, False))
        ]
    return [
        {"prompt": prompt, "chosen": texts[p.first], "rejected": texts[p.second]}
        for p in pairs
        if p.probability > 0.5
    ]


def gemm(args: argparse.Namespace) -> Callable[[], Any]:
    """The matrix products of DPO alone: per token of a tree, and per scored token in the head."""
    bundle = load(args.out / "model", "cpu")
    groups, _ = read_groups(str(args.out / "hh.jsonl"))
    examples, _ = make_examples(groups, bundle.encoder("skip"), objective("dpo"))
    dim, inner = SIZES["dim"], SIZES["inner"]
    layer = [(dim, dim)] * 4 + [(dim, inner)] * 2 + [(inner, dim)]
    weights = [torch.randn(shape) for shape in layer]
    head = torch.randn(dim, args.vocabulary)
    passes = 3 * args.epochs + 1  # forward, twice backward, and the reference once

    def multiply() -> None:
        for example in examples:
            tokens = torch.randn(example.tree.size, dim)
            inside = torch.randn(example.tree.size, inner)
            scored = torch.randn(example.tree.scored, dim)
            for _ in range(passes):
                for _ in range(SIZES["layers"]):
                    for weight in weights:
                        (inside if weight.shape[0] == inner else tokens) @ weight
                scored @ head

    return multiply


CONTESTANTS: dict[str, Callable[[argparse.Namespace], Callable[[], Any]]] = {
    "suffrage-dpo": ours("dpo", "hh"),
    "suffrage-sft": ours("sft", "hh"),
    "suffrage-kto": ours("kto", "hh"),
    "suffrage-reward": ours("reward", "qa"),
    "padded-full": padded(True),
    "padded-completion": padded(False),
    "gemm": gemm,
    "trl-dpo": trl("dpo", "hh"),
    "trl-sft": trl("sft", "hh"),
    "trl-kto": trl("kto", "hh"),
    "trl-reward": trl("reward", "qa"),
}
PAIRS = (
    ("trl-dpo", "suffrage-dpo"),
    ("padded-full", "suffrage-dpo"),
    ("padded-completion", "suffrage-dpo"),
    ("gemm", "suffrage-dpo"),
    ("trl-sft", "suffrage-sft"),
    ("trl-kto", "suffrage-kto"),
    ("trl-reward", "suffrage-reward"),
)


# ------------------------------------------------------------- turns


def contest(args: argparse.Namespace) -> dict[str, Any]:
    """One contestant in this process: seconds of the work, and the process's peak memory."""
    os.environ["SUFFRAGE_CACHE"] = str(Path(args.scratch) / "cache")  # no reference of other turns
    work = CONTESTANTS[args.run](args)
    if args.profile:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            work()
        print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=25))
        return {}
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    return {"seconds": round(seconds, 2), "mib": peak_memory_mib()}


def turn(name: str, args: argparse.Namespace, number: int) -> dict[str, Any]:
    scratch = args.out / f"{name}-{number}-{time.time_ns()}"
    words = ["--run", name, "--scratch", str(scratch), *sys.argv[1:]]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.offline", *words], stdout=subprocess.PIPE, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(
        f"  turn {number + 1} {name:18} {found['seconds']:8.2f} s {found['mib']:6} MiB", flush=True
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hh", type=Path, required=True, help="HH dialogues")
    parser.add_argument("--qa", type=Path, help="groups of completions with comparisons")
    parser.add_argument("--out", type=Path, default=Path("build/offline"))
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument("--groups", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--vocabulary", type=int, default=32_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", nargs="+", default=list(CONTESTANTS), choices=list(CONTESTANTS))
    parser.add_argument(
        "--profile", action="store_true", help="of the one in --only: its operations"
    )
    parser.add_argument("--run", choices=list(CONTESTANTS), help=argparse.SUPPRESS)
    parser.add_argument("--scratch", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.qa is None and not (args.out / "qa.jsonl").exists():
        args.only = [name for name in args.only if not name.endswith("reward")]
    if args.run:
        print(json.dumps(contest(args)))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    prepare(args)
    if args.profile:
        args.run, args.scratch = args.only[0], str(args.out / f"profile-{time.time_ns()}")
        contest(args)
        return
    turns = [{name: turn(name, args, n) for name in args.only} for n in range(args.turns)]
    print("\n| contest | ratio of times | seconds | MiB |\n|---|---|---|---|")
    for one, other in PAIRS:
        if one in args.only and other in args.only:
            print(row(one, other, turns))


def row(one: str, other: str, turns: list[dict[str, Any]]) -> str:
    """Medians over the turns, the peer before us."""

    def middle(name: str, figure: str) -> float:
        return statistics.median(found[name][figure] for found in turns)

    ratio = statistics.median(t[one]["seconds"] / t[other]["seconds"] for t in turns)
    seconds = f"{middle(one, 'seconds'):.1f} : {middle(other, 'seconds'):.1f}"
    memory = f"{middle(one, 'mib'):.0f} : {middle(other, 'mib'):.0f}"
    return f"| {one} : {other} | {ratio:.2f} | {seconds} | {memory} |"


if __name__ == "__main__":
    main()
