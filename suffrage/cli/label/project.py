"""What the verbs share: the project's database, and what its raters are asked."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from suffrage.cli.arguments import number, verb_parser, whole
from suffrage.cli.label import VERBS
from suffrage.cli.main import Parser
from suffrage.core.errors import SettingsError
from suffrage.core.records import Group, JudgmentKind, RecordError
from suffrage.data.read import read_groups
from suffrage.label.store.contents import TaskPlan
from suffrage.label.store.database import Store, open_store, open_whole
from suffrage.label.store.unsigned import is_unsigned

DATABASE = "label.db"
ADDRESS = "address"  # a setting: what links begin with, as the page was last served
KINDS = get_args(JudgmentKind)
Read = Sequence[tuple[list[Group], object]]  # of each file its groups, and what to say of it


def label_parser(verb: str) -> Parser:
    """A parser of `suffrage label VERB`, with --db."""
    parser = verb_parser(f"label {verb}", VERBS[verb][0])
    parser.add_argument(
        "--db",
        default=DATABASE,
        help="the project: a file, or postgresql://USER@HOST/NAME where many work at once",
    )
    return parser


def existing(args: argparse.Namespace) -> Store:
    """The project's store; an empty one is not made by asking for it."""
    if "://" not in args.db and not os.path.exists(args.db):
        raise SettingsError(f"there is no project {args.db}; start one by `suffrage label serve`.")
    return open_store(args.db)


@contextmanager
def all_or_nothing(db: str) -> Iterator[Store]:
    """The project, old or new, which keeps all of what is done inside.

    An error leaves it as it was, and neither file nor tables where there were none.
    """
    new = "://" not in db and not Path(db).exists()
    try:
        with open_whole(db) as store:
            yield store
    except BaseException:
        for end in ("", "-wal", "-shm") if new else ():
            Path(db + end).unlink(missing_ok=True)
        raise


def add_plan(parser: Parser) -> None:
    """The options that say what raters are asked of each prompt."""
    parser.set_defaults(command=parser.prog)
    asked = parser.add_argument_group("what raters are asked of the data")
    asked.add_argument("--kind", choices=KINDS, default="pair", help="of judgment")
    asked.add_argument(
        "--criterion", nargs="+", default=["overall"], help="helpful, honest, harmless, or your own"
    )
    asked.add_argument("--overlap", type=whole(1), default=3, help="raters an item")
    asked.add_argument(
        "--third-on-conflict", action="store_true", help="the last of them only where others differ"
    )
    asked.add_argument("--pairs", type=_pairs, default="all", help="of a prompt: all, random, N")
    asked.add_argument("--gold", type=number, default=0.0, help="share of items of known answer")
    asked.add_argument("--repeat", type=number, default=0.0, help="share that is asked twice")
    asked.add_argument("--practice", type=whole(0), default=0, help="items before the real ones")


def _pairs(word: str) -> Any:
    return word if word in ("all", "random") else whole(1)(word)


def plans(args: argparse.Namespace) -> list[TaskPlan]:
    """One plan a criterion."""
    asked = {
        "kind": args.kind,
        "overlap": args.overlap,
        "third_on_conflict": args.third_on_conflict,
        "pairs": args.pairs,
        "gold_share": args.gold,
        "repeat_share": args.repeat,
        "practice": args.practice,
    }
    try:
        return [TaskPlan.from_json({**asked, "criterion": name}) for name in args.criterion]
    except RecordError as error:
        raise SettingsError(f"{error}; see `{args.command} --help`.") from error


def read_files(files: Sequence[str]) -> Read:
    """The groups of files, read before a project is opened: a wrong name leaves none behind."""
    return [read_groups(file) for file in files]


def told(read: Read) -> list[str]:
    """What was read of each file, and what of it stands only until people vote."""
    lines = [str(report) for _, report in read]
    unsigned = sum(is_unsigned(group) for groups, _ in read for group in groups)
    if unsigned:
        lines.append(
            f"{unsigned:,} prompts have a preference that names no rater; each is kept, and stands "
            "in exports as long as nobody has judged its prompt"
        )
    return lines
