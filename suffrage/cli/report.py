"""`suffrage report`: one page about runs and results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from suffrage.cli.arguments import add_overwrite, parse, print_json, verb_parser
from suffrage.core.errors import SettingsError
from suffrage.core.files import check_writable
from suffrage.report import build_report


def run(words: Sequence[str]) -> int:
    parser = verb_parser("report")
    parser.add_argument("paths", nargs="+", help="runs, result files, groups, or folders of these")
    parser.add_argument("--out", default="report.html", help="the page to write")
    add_overwrite(parser)
    parser.add_argument("--lang", choices=("en", "zh"), default="en", help="the page's language")
    args = parse(parser, words)
    if Path(args.out).suffix not in (".html", ".htm"):  # and never a file that a report reads
        raise SettingsError(f"--out is {args.out!r}; name a page that ends in .html.")
    check_writable(Path(args.out), *args.paths, overwrite=args.overwrite)
    page = build_report([Path(p) for p in args.paths], Path(args.out), lang=args.lang)
    print_json({"out": str(page)}) if args.json else print(f"{page}: open it in a browser")
    return 0
