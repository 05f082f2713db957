"""What the verbs' parsers share."""

from __future__ import annotations

import argparse
import json
import locale
import os
from collections.abc import Callable, Sequence
from typing import Any

from suffrage.cli.main import VERBS, Parser
from suffrage.core.errors import SettingsError, nearest

DEVICES = ("auto", "cpu", "cuda", "mps")  # those of TrainSettings, which would load torch
NO_DEFAULT = (None, False, argparse.SUPPRESS)  # not worth a word in the help


class Formatter(argparse.HelpFormatter):
    """Help that tells each default that says something."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        told = action.default != [] and not any(action.default is v for v in NO_DEFAULT)
        return text + " (default: %(default)s)" if told else text


def verb_parser(verb: str, description: str = "", **options: Any) -> Parser:
    """A parser for one verb, with --json."""
    what = description or VERBS[verb.split()[0]]
    parser = Parser(
        prog=f"suffrage {verb}",
        description=what[:1].upper() + what[1:] + ".",
        formatter_class=Formatter,
        allow_abbrev=False,
        **options,
    )
    parser.add_argument("--json", action="store_true", help="print for programs")
    return parser


def add_overwrite(parser: Parser) -> None:
    """The option without which no file that is there is written over."""
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")


def parse(parser: Parser, words: Sequence[str]) -> argparse.Namespace:
    """Parse; an unknown option is answered with the nearest known one."""
    known = [name for action in parser._actions for name in action.option_strings]
    for word in words:  # before argparse misses the option this one was meant to be
        name = word.partition("=")[0]
        if name.startswith("--") and name not in ("--", *known):
            raise SettingsError(f"{parser.prog} has no option {name!r}; {nearest(name, known)}")
    args, rest = parser.parse_known_args(list(words))
    if rest:
        raise SettingsError(
            f"{parser.prog} has no use for {rest[0]!r}; see `{parser.prog} --help`."
        )
    return args


def whole(least: int | None = None, below: int | None = None) -> Callable[[str], int]:
    """The type of an option that is a whole number of at least `least` and less than `below`."""

    def convert(word: str) -> int:
        try:
            value = int(word)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{word!r} is no whole number") from None
        if least is not None and value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        if below is not None and value >= below:
            raise argparse.ArgumentTypeError(f"{value} is too large; stay below {below}")
        return value

    return convert


def number(word: str) -> float:
    """The type of an option that is a number."""
    try:
        return float(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word!r} is no number") from None


SEED = whole(0, 1 << 32)  # what numpy and torch both take


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def users_language() -> str:
    """Chinese where the user's system is Chinese."""
    stated = os.environ.get("LC_ALL") or os.environ.get("LANG") or locale.getlocale()[0] or ""
    return "zh" if stated.lower().startswith(("zh", "chinese")) else "en"
