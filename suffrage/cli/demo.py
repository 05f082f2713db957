"""`suffrage demo`: one line a stage, then what changed and where the report lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from suffrage.cli.arguments import SEED, parse, print_json, users_language, verb_parser
from suffrage.cli.show import printable


def run(words: Sequence[str]) -> int:
    parser = verb_parser("demo")
    parser.add_argument(
        "--lang", choices=("zh", "en"), default=users_language(), help="the world's language"
    )
    parser.add_argument("--seed", type=SEED, default=0, help="decides every random choice")
    parser.add_argument("--out", help="where to write; unset: demo/LANG-SEED")
    args = parse(parser, words)
    out = Path(args.out or f"demo/{args.lang}-{args.seed}")
    from suffrage.demo.run import figures, run_demo  # torch loads here, not for --help

    rows = run_demo(out, args.lang, args.seed)
    if args.json:
        print_json({"stages": list(rows), **figures(out)})
        return 0
    _tell(rows)
    _show_answers(out)
    print(f"\nThe report: {out / 'report.html'} (open it in a browser)")
    return 0


def _tell(rows: Iterator[dict[str, Any]]) -> None:
    for row in rows:
        took = "reused" if row["reused"] else f"{row['seconds']:.1f} s"
        print(f"{row['name']:9} {took:>7}  {row['what']}: {row['figure']}", flush=True)


def _show_answers(out: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from suffrage.demo.run import before_and_after

    rows = before_and_after(out).rows
    shown = [answer.model for answer in rows[0].answers]
    table = Table("question", *shown, show_lines=True)
    for row in rows:
        texts = {a.model: f"[{a.stance}] {a.text}" for a in row.answers}
        cells = [row.prompt, *(texts[model] for model in shown)]
        table.add_row(*(Text(printable(cell)) for cell in cells))
    Console().print(table)
