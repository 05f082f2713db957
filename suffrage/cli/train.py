"""`suffrage train METHOD`: options come from the settings and from the method's own row."""

from __future__ import annotations

import argparse
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from suffrage.cli.arguments import number, parse, print_json, verb_parser, whole
from suffrage.cli.main import Parser
from suffrage.cli.show import printable
from suffrage.models.processes import find_processes
from suffrage.objectives.objective import Objective
from suffrage.objectives.options import OPTIONS
from suffrage.objectives.table import OBJECTIVES, objective
from suffrage.report import build_report
from suffrage.train.outcome import Finished
from suffrage.train.rater_groups import PREFIX
from suffrage.train.rl.frontier import anchor_of, strengths_of, train_frontier
from suffrage.train.rl.run import train_online
from suffrage.train.run import train_offline
from suffrage.train.settings import TrainSettings, learning_rates, make_settings

# Settings without a meaning where only prompts are read
FOR_ANSWERS = ("support_ratio", "kl", "watch_kl", "gradient_checkpointing")
FOR_LANGUAGE = ("kl", "watch_kl")  # and where a reward is learned
FOR_REWARDS = ("heads",)  # where none is trained
FOR_SAMPLERS = ("stop_reward", "stop_kl", "pretraining")  # where answers come from a file
REWARD = (
    "a reward model: a run of `suffrage train reward` (RUN#HEAD where it has several heads), "
    "hf:MODEL#LABEL, any Hugging Face sequence classifier, judge:MODEL or judge:URL#MODEL, a "
    "language model that rates answers, or module:function, any Python function of prompts and "
    "completions; several, each as WEIGHT*NAME if it counts otherwise than once, "
    "are taken together as --combine says; one of weight 0 is only watched"
)
FRONTIER = (
    "a run for each of these strengths of {}, under --out, and a page with the held-out reward and "
    "the KL of each"
)
OVERVIEW = "usage: suffrage train METHOD --model M --data D --out RUN ...\n\n"


def run(words: Sequence[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(OVERVIEW + _methods() + "\n\n`suffrage train METHOD --help` lists its options.")
        return 0
    row = objective(words[0])
    args = parse(_parser(row), words[1:])
    settings = _settings(row, args)
    out = Path(args.out)
    if getattr(args, "frontier", None) is not None:
        return _run_frontier(row, settings, args)
    if row.view == "prompts":
        finished = train_online(settings, args.reward, out)
    else:
        finished = train_offline(settings, out)
    if find_processes().main:
        _tell(finished, args.json)
    return 0


def _run_frontier(row: Objective, settings: TrainSettings, args: argparse.Namespace) -> int:
    """A run for each strength of the anchor, what each came to, and a page that draws it."""
    anchor, out = anchor_of(row), Path(args.out)
    assert anchor is not None  # or there would be no --frontier
    strengths = strengths_of(args.frontier)
    points = []
    for point in train_frontier(settings, args.reward, anchor, strengths, out):
        points.append({anchor: point.strength, "eval/reward": point.reward, "eval/kl": point.kl})
        if not args.json and find_processes().main:
            print(f"{anchor} {point.strength:g}: reward {point.reward:.3f}, KL {point.kl:.2f} nats")
    if not find_processes().main:
        return 0
    page = build_report([out], out / "frontier.html")
    if args.json:
        print_json({"out": str(out), "points": points, "page": str(page)})
    else:
        print(f"{page}: open it in a browser")
    return 0


def _methods() -> str:
    width = max(map(len, OBJECTIVES))
    rows = (f"  {row.name:{width}}  {row.summary} ({row.paper})" for row in OBJECTIVES.values())
    return "\n".join(rows)


def _parser(row: Objective) -> Parser:
    parser = verb_parser(f"train {row.name}", row.summary)
    parser.add_argument("--model", required=True, help="a folder, a run, or a Hugging Face name")
    parser.add_argument("--data", required=True, help="a file, a folder, or a dataset name")
    parser.add_argument("--out", required=True, help="the run directory to write")
    if row.view == "prompts":
        parser.add_argument("--reward", action="append", default=[], help=REWARD)
    if anchor_of(row):
        parser.add_argument("--frontier", metavar="A,B,...", help=FRONTIER.format(anchor_of(row)))
    own = parser.add_argument_group(f"options of {row.name}")
    for name, default in row.options().items():
        choices = row.choices(name) or None
        kind = str if choices else _type(type(default))
        own.add_argument(
            _flag(name), type=kind, choices=choices, default=default, help=_meaning(name)
        )
        if name == "combine":
            own.add_argument(
                "--objective",
                dest=name,
                choices=choices,
                metavar="RULE",
                help="the same as --combine",
            )
    shared = parser.add_argument_group("training")
    for name, field in TrainSettings.model_fields.items():
        if field.description and _fits(name, row):
            _add_setting(shared, name, field, row)
    return parser


def _fits(name: str, row: Objective) -> bool:
    """Whether a setting means something to a method."""
    without = FOR_ANSWERS if row.view == "prompts" else FOR_SAMPLERS
    if name == "pretraining":
        return "pretraining_coef" in row.options()
    other = FOR_LANGUAGE if row.learns == "reward" else FOR_REWARDS
    return name not in without + other


def _meaning(name: str) -> str:
    return "; ".join(filter(None, (OPTIONS[name].help, OPTIONS[name].range)))


def _add_setting(group: Any, name: str, field: Any, row: Objective) -> None:
    choices = typing.get_args(field.annotation) if _is_literal(field.annotation) else None
    text = field.description
    if name == "lr":
        small, large = learning_rates(row.name)
        text += f", {small:g} at 1 M to {large:g} at 7 B parameters"
    kind = str if choices else _type(_scalar(field.annotation))
    default = argparse.SUPPRESS if field.default is None else field.default
    group.add_argument(_flag(name), type=kind, choices=choices, default=default, help=text)
    if name == "heads":
        group.add_argument(
            "--groups",
            dest=name,
            type=PREFIX.__add__,
            metavar="N|auto",
            help=f"the same as --heads {PREFIX}N",
        )


def _is_literal(annotation: Any) -> bool:
    return typing.get_origin(annotation) is typing.Literal


def _scalar(annotation: Any) -> Any:
    """The type of a field such as `int | None`."""
    if isinstance(annotation, types.UnionType):
        return next(a for a in typing.get_args(annotation) if a is not type(None))
    return annotation


def _type(kind: Any) -> Any:
    """What turns an option's word into its value; ranges are checked with the settings."""
    return {int: whole(), float: number}.get(kind, kind)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _settings(row: Objective, args: argparse.Namespace) -> TrainSettings:
    given = vars(args)
    shared = {k: v for k, v in given.items() if k in TrainSettings.model_fields}
    own = {name: given[name] for name in row.options()}
    return make_settings(method=row.name, options=own, **shared)


def _tell(finished: Finished, as_json: bool) -> None:
    if as_json:
        row = {"out": str(finished.path), "reused": finished.reused, "metrics": finished.metrics}
        print_json({**row, "notes": list(finished.notes)})
        return
    for note in finished.notes:
        print(printable(note))
    figures = ", ".join(f"{name} {value:.4g}" for name, value in finished.metrics.items())
    print(f"{finished.path}: {'already finished' if finished.reused else 'done'}; {figures}")
