"""Our sampler against `model.generate`: tokens a second of the same work, in one run.

    python -m benchmarks.sample

A random Llama of 15 M parameters (vocabulary 32,000) answers 256 prompts of 16 to 128 tokens, four
samples each, at temperature 1. A bias on the end token's logit makes every token the last with the
same probability, so that both sides draw their lengths from one distribution (mean 48, at most
128), and tokens a second count what was drawn. `model.generate` gets its prompts sorted by length,
in batches of as many rows as ours decodes together. "Matrix products" multiplies matrices of the
shapes our run needed and does nothing else. Each contestant runs in a process of its own; they take
turns, and what is printed are medians over the turns.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn.functional import linear
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, set_seed

from suffrage.core.machine import peak_memory_mib
from suffrage.models.language_model import LanguageModel
from suffrage.models.sample import Sample, Sampling, sample

DIM, LAYERS, HEADS, INNER, VOCABULARY = 288, 6, 6, 768, 32_000
END, SAMPLES, LONGEST = 2, 4, 128
END_PROBABILITY = 1 / 53  # (1 - (1 - p)^128) / p = 48.3 tokens on average


def build_model() -> PreTrainedModel:
    set_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=DIM,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=END,
    )
    model = LlamaForCausalLM(config).eval()
    model.lm_head.bias = nn.Parameter(torch.zeros(VOCABULARY))
    odds = END_PROBABILITY / (1 - END_PROBABILITY)
    with torch.no_grad():
        model.lm_head.weight[END] = 0  # its logit is the bias alone
        # The others' mean exponential, of logits that are almost normal about 0.
        spread = model.lm_head.weight.std() * math.sqrt(DIM)
        model.lm_head.bias[END] = math.log(odds * VOCABULARY) + spread**2 / 2
    return model


def make_prompts(count: int) -> list[list[int]]:
    drawn = random.Random(0)
    return [
        [drawn.randrange(3, VOCABULARY) for _ in range(drawn.randint(16, 128))]
        for _ in range(count)
    ]


# ------------------------------------------------------------- contestants


def ours(args: argparse.Namespace) -> Callable[[], int]:
    made = run_ours(args, build_model())
    return lambda: sum(len(s.tokens) for own in made() for s in own)


def run_ours(args: argparse.Namespace, model: PreTrainedModel) -> Callable[[], list[list[Sample]]]:
    tokenizer: object = None  # nothing here is text
    bundle = LanguageModel("random", model, tokenizer, (END,), 512, "forest")  # type: ignore[arg-type]
    sampling = Sampling(max_new_tokens=LONGEST, batch_size=args.batch_size)
    prompts = make_prompts(args.prompts)
    return lambda: sample(bundle, prompts, SAMPLES, sampling)


def transformers_generate(args: argparse.Namespace) -> Callable[[], int]:
    model = build_model()
    prompts = sorted(make_prompts(args.prompts), key=len)
    size = max(1, args.batch_size // SAMPLES)

    def run() -> int:
        parts = [prompts[i : i + size] for i in range(0, len(prompts), size)]
        return sum(generated(model, part) for part in parts)

    return run


def generated(model: PreTrainedModel, prompts: Sequence[list[int]]) -> int:
    """How many tokens `model.generate` made for these prompts."""
    length = max(map(len, prompts))
    ids = torch.tensor([[0] * (length - len(p)) + p for p in prompts])
    out = model.generate(  # type: ignore[operator]
        ids,
        attention_mask=(ids != 0).long(),
        do_sample=True,
        top_k=0,
        num_return_sequences=SAMPLES,
        max_new_tokens=LONGEST,
    )
    made = out[:, length:]
    before = (made == END).cumsum(1) - (made == END).long()
    return int((before == 0).sum())  # up to the end token; what follows it is padding


def products(args: argparse.Namespace) -> Callable[[], int]:
    """The matrix products alone: of the prompts, and of a token of every row in every step."""
    lengths = [len(s.tokens) for own in run_ours(args, build_model())() for s in own]
    steps, rest = divmod(sum(lengths), args.batch_size)
    layer = [torch.randn(DIM, DIM) for _ in range(4)]
    layer += [torch.randn(INNER, DIM), torch.randn(INNER, DIM), torch.randn(DIM, INNER)]
    layers = [[weight.clone() for weight in layer] for _ in range(LAYERS)]
    head = torch.randn(VOCABULARY, DIM)

    def multiply(rows: int) -> None:
        narrow, wide = torch.randn(rows, DIM), torch.randn(rows, INNER)
        for weights in layers:
            for weight in weights:
                linear(narrow if weight.shape[1] == DIM else wide, weight)

    def run() -> int:
        for prompt in make_prompts(args.prompts):
            multiply(len(prompt))
        for rows in [args.batch_size] * steps + [rest] * (rest > 0):
            multiply(rows)
            linear(torch.randn(rows, DIM), head)
        return sum(lengths)

    return run


CONTESTANTS: dict[str, Callable[[argparse.Namespace], Callable[[], int]]] = {
    "suffrage": ours,
    "model.generate": transformers_generate,
    "matrix products": products,
}


# ------------------------------------------------------------- turns


@torch.no_grad()
def contest(args: argparse.Namespace) -> dict[str, float]:
    """One contestant in this process."""
    torch.set_num_threads(args.threads)
    work = CONTESTANTS[args.run](args)
    set_seed(args.seed)
    if args.profile:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            work()
        print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=25))
        return {}
    started = time.perf_counter()
    tokens = work()
    seconds = time.perf_counter() - started
    return {"tokens": tokens, "seconds": seconds, "mib": peak_memory_mib()}


def turn(name: str, number: int) -> dict[str, float]:
    words = [sys.executable, "-m", "benchmarks.sample", *sys.argv[1:], "--run", name]
    done = subprocess.run([*words, "--seed", str(number)], stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    found["rate"] = found["tokens"] / found["seconds"]
    print(
        f"  turn {number + 1} {name:16} {found['tokens']:7} tokens {found['seconds']:8.2f} s "
        f"{found['rate']:7.0f} tokens/s {found['mib']:6} MiB",
        flush=True,
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=64, help="rows decoded together")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", default=list(CONTESTANTS), choices=list(CONTESTANTS))
    parser.add_argument("--profile", action="store_true", help="of the one in --only")
    parser.add_argument("--run", choices=list(CONTESTANTS), help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.profile:
        args.run = args.only[0]
        contest(args)
    elif args.run:
        print(json.dumps(contest(args)))
    else:
        report([{name: turn(name, number) for name in args.only} for number in range(args.turns)])


def report(turns: Sequence[dict[str, dict[str, float]]]) -> None:
    print("\n| | tokens a second | suffrage's over its | MiB |\n|---|---|---|---|")
    for name in turns[0]:
        rate = statistics.median(found[name]["rate"] for found in turns)
        ratio = statistics.median(
            found["suffrage"]["rate"] / found[name]["rate"] for found in turns
        )
        memory = statistics.median(found[name]["mib"] for found in turns)
        print(f"| {name} | {rate:.0f} | {ratio:.2f} | {memory:.0f} |")


if __name__ == "__main__":
    main()
