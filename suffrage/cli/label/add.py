"""`suffrage label import`: prompts, completions and judgments of any format into a project."""

from __future__ import annotations

from collections.abc import Sequence

from suffrage.cli.arguments import parse, print_json
from suffrage.cli.label.project import (
    Read,
    add_plan,
    all_or_nothing,
    label_parser,
    plans,
    read_files,
    told,
)
from suffrage.label.store.contents import TaskPlan, add_all
from suffrage.label.store.database import Store
from suffrage.label.store.plans import NothingToJudgeError


def run(words: Sequence[str]) -> int:
    parser = label_parser("import")
    parser.add_argument("data", nargs="+", help="files of groups, or of any format read here")
    parser.add_argument(
        "--only-data", action="store_true", help="make no items to judge of what was added"
    )
    add_plan(parser)
    args = parse(parser, words)
    asked = [] if args.only_data else plans(args)
    found = read_files(args.data)
    with all_or_nothing(args.db) as store:
        added, items = _add(store, found, asked)
    read = told(found)
    if args.json:
        print_json({"groups": added, "items": items, "read": read})
    else:
        print("\n".join([*read, f"{args.db}: {added} groups and {items} items added"]))
    return 0


def _add(store: Store, read: Read, asked: Sequence[TaskPlan]) -> tuple[int, int]:
    try:
        return add_all(store, [groups for groups, _ in read], asked)
    except NothingToJudgeError as error:
        raise NothingToJudgeError(
            error.kind, error.kinds, ", or --only-data to add the data without items to judge"
        ) from error
