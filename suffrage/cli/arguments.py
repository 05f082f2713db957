"""What the verbs' parsers share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from suffrage.cli.main import VERBS, Parser
from suffrage.core.errors import SettingsError, nearest


def verb_parser(verb: str, description: str = "", **options: Any) -> Parser:
    """A parser for one verb, with --json."""
    what = description or VERBS[verb.split()[0]]
    parser = Parser(
        prog=f"suffrage {verb}",
        description=what[:1].upper() + what[1:] + ".",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
        **options,
    )
    parser.add_argument("--json", action="store_true", help="print for programs")
    return parser


def parse(parser: Parser, words: Sequence[str]) -> argparse.Namespace:
    """Parse; an unknown option is answered with the nearest known one."""
    args, rest = parser.parse_known_args(list(words))
    if rest:
        known = [name for action in parser._actions for name in action.option_strings]
        raise SettingsError(f"{parser.prog} has no option {rest[0]!r}; {nearest(rest[0], known)}")
    return args


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
