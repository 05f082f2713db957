"""`suffrage generate`: completions from one model, or several models' answers side by side."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from suffrage.cli.arguments import (
    DEVICES,
    SEED,
    add_overwrite,
    number,
    parse,
    print_json,
    verb_parser,
    whole,
)
from suffrage.cli.main import Parser
from suffrage.cli.show import printable
from suffrage.core.errors import DataError, SettingsError
from suffrage.core.files import check_writable, write_json
from suffrage.core.records import Group
from suffrage.data.read import read_prompts, write_groups
from suffrage.evaluate.side_by_side import response_rows


def run(words: Sequence[str]) -> int:
    args = parse(_parser(), words)
    out = Path(args.out)
    _check(args, out)
    answered, left_out, said = _answers(args)
    if out.suffix == ".json":
        write_json(out, _responses(*answered))
    else:
        write_groups(out, _merged(answered))
    if args.json:
        counts = {"prompts": len(answered[0]), "left_out": left_out}
        print_json({"out": str(out), **counts, "models": args.model})
        return 0
    print(printable(said))
    _show(answered, args.show)
    if left_out:
        print(f"left out as too long for a model's context: {left_out}")
    each = f"{args.n} answer{'s' * (args.n > 1)} each from {' and '.join(args.model)}"
    print(printable(f"{out}: {len(answered[0])} prompts, {each}"))
    return 0


def _answers(args: argparse.Namespace) -> tuple[list[list[Group]], int, str]:
    """Each model's answers, how many prompts were left out, and what the reader said of them."""
    from suffrage.data.conditioning import Condition
    from suffrage.models.generate import generate  # torch loads here, not for --help
    from suffrage.models.language_model import load, load_config
    from suffrage.models.sample import Sampling
    from suffrage.train.start import device_of

    device = device_of(args.device)
    prompts, report = read_prompts(args.prompts)
    sampling = Sampling(
        args.max_new_tokens, args.temperature, args.top_p, args.top_k, args.seed, args.batch_size
    )
    for name in args.model:
        load_config(name)  # a wrong name is told before an hour of answers by the other model
    phrase, answered = args.ask_after, []
    with report.located():
        for name in args.model:
            bundle = load(name, device)
            if phrase is not None:
                asked = Condition(phrase, phrase) if phrase else None
                bundle = replace(bundle, condition=asked)
            answered.append(
                generate(bundle, prompts, args.n, sampling, overlong=args.overlong, name=name)
            )
    answered = _answered_by_all(answered)
    return answered, len(prompts) - len(answered[0]), str(report)


def _parser() -> Parser:
    parser = verb_parser("generate")
    parser.add_argument(
        "--model",
        action="append",
        required=True,
        help="a folder, a run or a Hugging Face name; twice compares the original and the trained",
    )
    parser.add_argument("--prompts", required=True, help="a file of prompts, in any format")
    parser.add_argument(
        "--out", required=True, help="F.jsonl: groups; F.json: the two models' answers, a row each"
    )
    add_overwrite(parser)
    parser.add_argument("-n", type=whole(1), default=1, help="answers a prompt")
    parser.add_argument("--max-new-tokens", type=whole(1), default=256, help="longest answer")
    parser.add_argument("--temperature", type=number, default=0.7, help="0 takes the likeliest")
    parser.add_argument("--top-p", type=number, default=1.0, help="share of probability kept")
    parser.add_argument("--top-k", type=whole(0), default=0, help="tokens kept; 0 keeps all")
    parser.add_argument(
        "--ask-after",
        metavar="PHRASE",
        help="ends every prompt in place of what a model learned to answer after; '': nothing",
    )
    parser.add_argument("--seed", type=SEED, default=0, help="decides every random choice")
    parser.add_argument("--batch-size", type=whole(1), default=64, help="answers decoded together")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to compute")
    parser.add_argument(
        "--overlong", choices=("refuse", "skip", "cut"), default="refuse", help="longer prompts"
    )
    parser.add_argument("--show", type=whole(0), default=10, help="questions to print")
    return parser


def _check(args: argparse.Namespace, out: Path) -> None:
    if out.suffix == ".json" and (len(args.model) != 2 or args.n != 1):
        raise SettingsError(
            f"{out} holds one answer of each of two models; give --model twice and -n 1, or name "
            "a .jsonl file for anything else."
        )
    check_writable(out, args.prompts, overwrite=args.overwrite)


def _answered_by_all(answered: list[list[Group]]) -> list[list[Group]]:
    """The groups whose prompt every model could take: their contexts may differ."""
    common = set.intersection(*({group.prompt.id for group in groups} for groups in answered))
    if not common:
        raise DataError("no prompt fits in every model's context; pass --overlong cut.")
    return [[group for group in groups if group.prompt.id in common] for groups in answered]


def _responses(original: list[Group], trained: list[Group]) -> list[dict[str, Any]]:
    texts = [[group.completions[0].text for group in part] for part in (original, trained)]
    return response_rows([group.prompt for group in original], *texts)


def _merged(answered: Sequence[Sequence[Group]]) -> list[Group]:
    """One group a prompt with the completions of every model."""
    return [
        same[0].model_copy(update={"completions": tuple(c for g in same for c in g.completions)})
        for same in zip(*answered, strict=True)
    ]


def _show(answered: Sequence[Sequence[Group]], count: int) -> None:
    """The first questions with every model's first answer, as plain text: it may be hostile."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for same in list(zip(*answered, strict=True))[:count]:
        console.print(Text("\n" + printable(same[0].prompt.text), style="bold"))
        for group in same:
            source = Text(f"  {printable(group.completions[0].source)}: ", style="cyan")
            console.print(source + Text(printable(group.completions[0].text)))
