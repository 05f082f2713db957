"""`suffrage label export`: the votes as a file, for analysis, for training, for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from suffrage.cli.arguments import SEED, add_overwrite, number, parse, print_json
from suffrage.cli.label.project import existing, label_parser
from suffrage.cli.label.status import of_counts
from suffrage.core.errors import SettingsError
from suffrage.label.formats import FORMATS, export
from suffrage.label.store.contents import groups
from suffrage.label.store.skips import SkipCounts, count_skips


def run(words: Sequence[str]) -> int:
    parser = label_parser("export")
    parser.add_argument("--out", help="the file; .jsonl, .json, .csv or .parquet")
    meanings = "; ".join(f"{name}: {form.row}" for name, form in FORMATS.items())
    parser.add_argument("--format", choices=FORMATS, default="groups", help=meanings)
    parser.add_argument("--pseudonyms", action="store_true", help="numbers in place of names")
    parser.add_argument("--split", type=number, help="share of the prompts in a file of its own")
    parser.add_argument("--seed", type=SEED, default=0, help="of the split and the pseudonyms")
    add_overwrite(parser)
    args = parse(parser, words)
    if args.out is None:
        raise SettingsError("suffrage label export needs --out, the file to write.")
    store = existing(args)
    report = export(
        groups(store),
        Path(args.out),
        args.format,
        pseudonyms=args.pseudonyms,
        split=args.split,
        seed=args.seed,
        overwrite=args.overwrite,
    )
    skips = count_skips(store)
    if args.json:
        files = {str(path): rows for path, rows in report.files.items()}
        print_json({"files": files, "skipped": _skipped(skips, names=not args.pseudonyms)})
    else:
        print(report)
        if skips.items:
            hidden = SkipCounts(skips.items, skips.times, {}) if args.pseudonyms else skips
            print(f"  {of_counts(hidden)}; `suffrage label status` has the reasons")
    return 0


def _skipped(skips: SkipCounts, *, names: bool) -> dict[str, Any]:
    """What raters said cannot be judged, without their names where the file hides them."""
    return {"items": skips.items, "times": skips.times} | ({"by": skips.by} if names else {})
