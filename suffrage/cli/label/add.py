"""`suffrage label import`: prompts, completions and judgments of any format into a project."""

from __future__ import annotations

from collections.abc import Sequence

from suffrage.cli.arguments import parse, print_json
from suffrage.cli.label.project import (
    add_plan,
    add_read,
    label_parser,
    plan_work,
    read_files,
)
from suffrage.label.store.database import open_store


def run(words: Sequence[str]) -> int:
    parser = label_parser("import")
    parser.add_argument("data", nargs="+", help="files of groups, or of any format read here")
    parser.add_argument(
        "--only-data", action="store_true", help="make no items to judge of what was added"
    )
    add_plan(parser)
    args = parse(parser, words)
    found = read_files(args.data)
    store = open_store(args.db)
    added, read = add_read(store, found)
    items = 0 if args.only_data else plan_work(store, args)
    if args.json:
        print_json({"groups": added, "items": items, "read": read})
    else:
        print("\n".join([*read, f"{args.db}: {added} groups and {items} items added"]))
    return 0
