"""PPO's speed and memory beside TRL 1.12's, the last version that has it.

    pip install --no-deps --target TRL trl==1.12.0
    python -m benchmarks.ppo --trl TRL

One random Llama of 3 M parameters, 128 questions of the embedded world, one answer of up to 64 new
tokens to each, 4 epochs over each rollout in one minibatch, a reward model and a critic of the same
size. Each side runs in a process of its own, in turns; printed are episodes a second of the whole
of training, the ratio to TRL's in the same turn, and the peak memory of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

from benchmarks.offline import bpe
from suffrage.core.files import write_jsonl
from suffrage.core.machine import peak_memory_mib
from suffrage.models.seed import set_seed
from suffrage.train.rl.run import train_online
from suffrage.train.settings import make_settings
from suffrage.worlds.adaptation import load_world

PROMPTS, NEW_TOKENS, EPOCHS, UPDATES = 128, 64, 4, 3
SIDES = ("trl", "own critic", "shared trunk")


def prepare(out: Path) -> None:
    """Model, reward model, prompts."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    world = load_world("en")
    rows = [{"id": p.id, "prompt": p.text} for p in world.prompts(PROMPTS, 0)]
    write_jsonl(out / "prompts.jsonl", rows)
    texts = [question + answer for question, (answer, *_) in world.corpus(2000, 0)]
    tokenizer = bpe(texts, 4096)
    set_seed(0)
    config = LlamaConfig(
        vocab_size=4096, hidden_size=192, intermediate_size=512, num_hidden_layers=5,
        num_attention_heads=6, max_position_embeddings=256, tie_word_embeddings=True,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(out / "model")
    config.num_labels = 1
    LlamaForSequenceClassification(config).save_pretrained(out / "reward")
    for name in ("model", "reward"):
        tokenizer.save_pretrained(out / name)


def ours(out: Path, critic: str) -> float:
    """Episodes a second."""
    settings = make_settings(
        method="ppo", model=str(out / "model"), data=str(out / "prompts.jsonl"), device="cpu",
        batch_size=PROMPTS, epochs=UPDATES, lr=1e-5, microbatch_tokens=2048,
        options={"max_new_tokens": NEW_TOKENS, "rollout_epochs": EPOCHS, "critic": critic},
    )  # fmt: skip
    started = time.perf_counter()
    train_online(settings, str(out / "reward"), out / f"run-{critic}-{os.getpid()}")
    return UPDATES * PROMPTS / (time.perf_counter() - started)


def theirs(out: Path) -> float:
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl.experimental.ppo import PPOConfig, PPOTrainer

    tokenizer = AutoTokenizer.from_pretrained(out / "model", padding_side="left")
    rows = [json.loads(line)["prompt"] for line in (out / "prompts.jsonl").open(encoding="utf-8")]
    data = Dataset.from_dict({"input_ids": [tokenizer(row)["input_ids"] for row in rows]})
    args = PPOConfig(
        output_dir=str(out / "trl"), use_cpu=True, bf16=False, gradient_checkpointing=False,
        report_to=[], save_strategy="no", num_sample_generations=0, disable_tqdm=True,
        per_device_train_batch_size=PROMPTS // 2, gradient_accumulation_steps=2,
        num_mini_batches=1, num_ppo_epochs=EPOCHS, local_rollout_forward_batch_size=PROMPTS // 2,
        response_length=NEW_TOKENS, temperature=1.0, total_episodes=UPDATES * PROMPTS,
        learning_rate=1e-5, stop_token="eos",
    )  # fmt: skip
    models = [
        kind.from_pretrained(out / name)
        for kind, name in (
            (LlamaForCausalLM, "model"),
            (LlamaForCausalLM, "model"),
            (LlamaForSequenceClassification, "reward"),
            (LlamaForSequenceClassification, "reward"),
        )
    ]
    policy, reference, reward, value = models
    trainer = PPOTrainer(
        args, tokenizer, policy, reference, reward, data, value_model=value, eval_dataset=data
    )
    started = time.perf_counter()
    trainer.train()
    return UPDATES * PROMPTS / (time.perf_counter() - started)


def one_side(side: str, out: Path) -> dict[str, Any]:
    before = peak_memory_mib()
    speed = theirs(out) if side == "trl" else ours(out, "trunk" if "trunk" in side else "own")
    return {"side": side, "episodes": speed, "mib": peak_memory_mib(), "imports": before}


def in_turns(args: argparse.Namespace) -> list[dict[str, dict[str, Any]]]:
    turns = []
    for _ in range(args.turns):
        turn = {}
        for side in SIDES:
            words = [sys.executable, "-m", "benchmarks.ppo", "--side", side, "--out", str(args.out)]
            path = os.pathsep.join([str(args.trl)] * (side == "trl") + [str(Path.cwd())])
            environment = {**os.environ, "PYTHONPATH": path, "TRL_EXPERIMENTAL_SILENCE": "1"}
            done = subprocess.run(
                words, env=environment, check=True, stdout=subprocess.PIPE, text=True
            )
            turn[side] = json.loads(done.stdout.splitlines()[-1])
        turns.append(turn)
    return turns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trl", type=Path, help="the folder that TRL 1.12 was installed into")
    parser.add_argument("--out", type=Path, default=Path("build/ppo"))
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        print(json.dumps(one_side(args.side, args.out)))
        return
    prepare(args.out)
    turns = in_turns(args)
    print(f"{torch.get_num_threads()} threads")
    print("| | episodes a second | times TRL's | peak MiB | of it imports |\n|---|---|---|---|---|")
    for side in SIDES:
        speed = statistics.median(turn[side]["episodes"] for turn in turns)
        ratio = statistics.median(
            turn[side]["episodes"] / turn["trl"]["episodes"] for turn in turns
        )
        memory = max(turn[side]["mib"] for turn in turns)
        imports = max(turn[side]["imports"] for turn in turns)
        print(f"| {side} | {speed:.1f} | {ratio:.1f} | {memory:.0f} | {imports:.0f} |")


if __name__ == "__main__":
    main()
