"""`suffrage generate`: completions from one model, or several models' answers side by side."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from suffrage.core.records import Group, Prompt
from suffrage.data.read import read_prompts, write_groups
from suffrage.evaluate.side_by_side import response_rows

if TYPE_CHECKING:
    from suffrage.data.conditioning import Condition
    from suffrage.models.sampling import Sampling


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
    from suffrage.models.endpoint import is_endpoint  # torch loads here, not for --help
    from suffrage.models.language_model import load_config

    prompts, report = read_prompts(args.prompts)
    for name in args.model:
        if not is_endpoint(name):
            load_config(name)  # a wrong name is told before an hour of answers by the other model
    with report.located():
        answered = [
            (_from_server if is_endpoint(name) else _from_folder)(name, args, prompts)
            for name in args.model
        ]
    answered = _answered_by_all(answered)
    return answered, len(prompts) - len(answered[0]), str(report)


def _from_folder(name: str, args: argparse.Namespace, prompts: Sequence[Prompt]) -> list[Group]:
    from suffrage.models.generate import generate
    from suffrage.models.language_model import load
    from suffrage.train.start import device_of

    bundle = load(name, device_of(args.device))
    if args.ask_after is not None:
        bundle = replace(bundle, condition=_condition(args.ask_after))
    return generate(bundle, prompts, args.n, _sampling(args), overlong=args.overlong, name=name)


def _from_server(name: str, args: argparse.Namespace, prompts: Sequence[Prompt]) -> list[Group]:
    from suffrage.models.endpoint import Endpoint
    from suffrage.models.generate import generate_by_server

    endpoint, condition = Endpoint.named(name, args.requests), _condition(args.ask_after)
    return generate_by_server(
        endpoint, prompts, args.n, _sampling(args), condition=condition, name=name
    )


def _condition(phrase: str | None) -> Condition | None:
    from suffrage.data.conditioning import Condition

    return Condition(phrase, phrase) if phrase else None


def _sampling(args: argparse.Namespace) -> Sampling:
    from suffrage.models.sampling import Sampling

    return Sampling(
        max_new_tokens=args.max_new_tokens,
        temperature=args.temperature,
        top_p=args.top_p,
        top_k=args.top_k,
        seed=args.seed,
        batch_size=args.batch_size,
        min_p=args.min_p,
        repetition_penalty=args.repetition_penalty,
        min_new_tokens=args.min_new_tokens,
        stop=tuple(args.stop),
        suppress_tokens=tuple(args.suppress_tokens),
    )


def _parser() -> Parser:
    parser = verb_parser("generate")
    parser.add_argument(
        "--model",
        action="append",
        required=True,
        help="a folder, a run, a Hugging Face name or a server, http://host:port/v1#MODEL; twice "
        "compares the original and the trained",
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
    _add_further_options(parser)
    parser.add_argument(
        "--ask-after",
        metavar="PHRASE",
        help="ends every prompt in place of what a model learned to answer after; '': nothing",
    )
    parser.add_argument("--seed", type=SEED, default=0, help="decides every random choice")
    parser.add_argument("--batch-size", type=whole(1), default=64, help="answers decoded together")
    parser.add_argument(
        "--requests", type=whole(1), default=8, help="asked of a server at the same time"
    )
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to compute")
    parser.add_argument(
        "--overlong", choices=("refuse", "skip", "cut"), default="refuse", help="longer prompts"
    )
    parser.add_argument("--show", type=whole(0), default=10, help="questions to print")
    return parser


def _add_further_options(parser: Parser) -> None:
    """What else `transformers.GenerationConfig` offers; off by default."""
    parser.add_argument(
        "--min-p", type=number, default=0.0, help="share of the likeliest token's probability"
    )
    parser.add_argument(
        "--repetition-penalty", type=number, default=1.0, help="above 1 is against repeating"
    )
    parser.add_argument(
        "--min-new-tokens", type=whole(0), default=0, help="shortest answer, in tokens"
    )
    parser.add_argument(
        "--stop",
        action="append",
        default=[],
        metavar="TEXT",
        help="ends an answer and is cut off it; may be given several times",
    )
    parser.add_argument(
        "--suppress-tokens",
        type=whole(0),
        nargs="+",
        default=[],
        metavar="ID",
        help="tokens never to be sampled",
    )


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
