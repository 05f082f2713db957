"""`suffrage rank`: leaderboards with intervals, for all raters or for each group of them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from suffrage.cli.agree import interval
from suffrage.cli.arguments import (
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
from suffrage.core.errors import DataError, SettingsError, nearest
from suffrage.core.files import check_writable
from suffrage.core.results import Choice, Ranking, RankingResult, write_result
from suffrage.data.read import read_groups
from suffrage.data.readers.containers import RawRow, raw_rows
from suffrage.stats.comparison_rows import entry_of_row, is_comparison
from suffrage.stats.comparisons import Entry, check_sources_differ, entries_of_groups
from suffrage.stats.groups import rank_camps, rank_entries
from suffrage.stats.rankings import METHODS, Setting


def run(words: Sequence[str]) -> int:
    args = parse(_parser(), words)
    if args.example:
        return _example(args)
    if args.verdicts is None:
        raise SettingsError(
            "suffrage rank needs a file of comparisons; name one, or see --example."
        )
    sources = [path for path in (args.verdicts, args.raters) if path]
    if args.out:
        check_writable(Path(args.out), *sources, overwrite=args.overwrite)
    entries = read_entries(args.verdicts)
    if args.raters:
        entries = with_raters(entries, args.raters)
    result = _result(args, entries)
    if args.out:
        write_result(Path(args.out), result)
    print_json(result.to_json()) if args.json else _show(result)
    return 0


def _parser() -> Parser:
    parser = verb_parser("rank")
    parser.add_argument(
        "verdicts", nargs="?", help="a table with a, b and winner, or groups with judgments"
    )
    methods = "; ".join(f"{name}: {what}" for name, what in METHODS.items())
    parser.add_argument("--method", choices=METHODS, default="bradley-terry", help=methods)
    parser.add_argument("--by", help="one leaderboard for each value of this column, and choices")
    parser.add_argument("--raters", help="a table with rater and more columns, for --by")
    parser.add_argument(
        "--camps", type=_camps, help="find so many camps of raters (auto: as votes kept back tell)"
    )
    parser.add_argument("--side", action="store_true", help="estimate what standing first is worth")
    parser.add_argument("--ridge", type=number, default=0.1, help="pull of scores towards 0")
    parser.add_argument(
        "--resample",
        choices=("prompts", "raters", "comparisons"),
        help="what intervals resample whole; prompts where the file names them",
    )
    parser.add_argument(
        "--interval",
        choices=("bootstrap", "sandwich"),
        default="bootstrap",
        help="sandwich: no resampling, for scores of Bradley-Terry",
    )
    parser.add_argument("--rounds", type=whole(2), default=1000, help="of the bootstrap")
    parser.add_argument("--seed", type=SEED, default=0, help="of the bootstrap")
    parser.add_argument("--out", help="write the figures here, for `suffrage report`")
    parser.add_argument(
        "--example", metavar="FILE", help="write an example of votes here, and stop"
    )
    parser.add_argument("--lang", choices=("en", "zh"), default="en", help="of the example")
    add_overwrite(parser)
    return parser


def _result(args: argparse.Namespace, entries: Sequence[Entry]) -> RankingResult:
    setting = _setting(args, entries)
    if args.camps is None:
        if args.by:
            _check_field(entries, args.by)
        return rank_entries(entries, setting, args.by or "")
    if args.by:
        raise SettingsError("--by and --camps both split the raters; pass one of them.")
    return rank_camps(entries, setting, None if args.camps == "auto" else args.camps)


def _camps(word: str) -> int | str:
    return word if word == "auto" else whole(1)(word)


def _example(args: argparse.Namespace) -> int:
    from suffrage.cli.rank_example import GROUPS, write_example

    path = Path(args.example)
    check_writable(path, overwrite=args.overwrite)
    votes = write_example(path, args.lang, args.seed)
    said = {"file": str(path), "votes": votes, "raters": GROUPS}
    groups = ", ".join(f"{size} {name}" for name, size in GROUPS.items())
    print_json(said) if args.json else print(f"{votes} votes of {groups}: {path}")
    return 0


def read_entries(source: str) -> list[Entry]:
    """What the raters of a file said: rows with a, b and winner, or groups with judgments."""
    rows, _ = raw_rows(source, "train")
    if any(is_comparison(row.value) for row in rows):
        return [_entry(row) for row in rows]
    groups, _ = read_groups(source)
    entries = list(entries_of_groups(groups))
    if not entries:
        raise DataError(
            "holds no comparison; write rows with a, b and winner, or groups with judgments.",
            source,
        )
    try:
        check_sources_differ(entries)
    except DataError as error:
        raise DataError(str(error), source) from None
    return entries


def _entry(row: RawRow) -> Entry:
    if not is_comparison(row.value):
        raise DataError(
            "lacks a, b or winner, which other rows have; add it or remove the row.",
            row.path,
            row.number,
        )
    try:
        return entry_of_row(row.value)
    except ValueError as error:
        raise DataError(f"{error}; correct it.", row.path, row.number) from None


def with_raters(entries: Sequence[Entry], source: str) -> list[Entry]:
    """The entries with the columns that a table has for their raters."""
    known: dict[str, Mapping[str, Any]] = {}
    for row in raw_rows(source, "train")[0]:
        columns = row.value if isinstance(row.value, dict) else {}
        name = columns.get("rater", columns.get("name"))
        if name in (None, ""):
            raise DataError("names no rater; give it a column `rater`.", row.path, row.number)
        known[str(name)] = columns
    raters = {match.rater for entry in entries for match in entry.matches}
    missing = sorted(raters - set(known))
    if missing:
        raise DataError(f"lacks the rater {missing[0]!r}, who voted; add a row.", source)
    return [
        entry._replace(fields={**entry.fields, **known[entry.matches[0].rater]})
        for entry in entries
    ]


def _check_field(entries: Sequence[Entry], by: str) -> None:
    fields = {name for entry in entries for name in entry.fields}
    if by not in fields:
        raise SettingsError(f"there is no column {by!r} to split by; {nearest(by, fields)}")


def _setting(args: argparse.Namespace, entries: Sequence[Entry]) -> Setting:
    if args.ridge < 0:
        raise SettingsError(f"--ridge is {args.ridge:g}; it cannot be negative.")
    named = len({match.prompt for entry in entries for match in entry.matches}) > 1
    return Setting(
        method=args.method,
        side=args.side,
        ridge=args.ridge,
        unit=args.resample or ("prompts" if named else "comparisons"),
        interval=args.interval,
        rounds=args.rounds,
        seed=args.seed,
    )


def _show(result: RankingResult) -> None:
    for camps, gain in result.camp_gains.items():
        print(f"{camps} camps predict a vote kept back better by {interval(gain)} nats")
    for camp in result.camps:
        print(printable(f"{camp.name}: {', '.join(camp.raters)}"))
    for ranking in result.rankings:
        _show_ranking(ranking, result.by)
    for choice in result.choices:
        print(printable(_sentence(choice)))
    if len(result.mixture) > 1:
        mixed = ", ".join(f"{share:.0%} {name}" for name, share in result.mixture.items())
        least = f"worth {result.mixture_worth:.0%} to the least happy group"
        print(printable(f"fairest mixture: {mixed} ({least})"))


def _show_ranking(ranking: Ranking, by: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    counts = f"{ranking.comparisons} comparisons of {ranking.prompts} prompts by "
    name = ranking.group or "(none)"
    title = f"{name}: " if by == "camp" else f"{by} {name}: " if by else ""
    print(printable(f"{title}{counts}{ranking.raters} raters"))
    table = Table("place", "item")
    for name in (ranking.method, "wins", "n"):
        table.add_column(name, no_wrap=True)
    for row in ranking.items:
        low, high = row.places
        place = f"{row.place}" if low == high else f"{row.place} ({low} to {high})"
        figures = (interval(row.score), interval(row.win_rate), str(row.comparisons))
        # as Text, since a model's name is anyone's words and may look like markup
        table.add_row(place, Text(printable(row.item)), *figures)
    Console().print(table)
    if ranking.first_shown:
        print(f"of two equals the one shown first wins: {interval(ranking.first_shown)}")
    if ranking.ties:
        print(f"two equals tie: {interval(ranking.ties)}")
    if ranking.note:
        print(f"note: {ranking.note}")


def _sentence(choice: Choice) -> str:
    """The choice, how sure it is, and what each group makes of it."""
    names = {"mean": "best on average", "maxmin": "best for the least happy group (MaxMin)"}
    worth = ", ".join(f"{group or '(none)'} {value:.0%}" for group, value in choice.worth.items())
    return (
        f"{names[choice.rule]}: {choice.item} (in {choice.share:.0%} of bootstrap rounds); "
        f"preferred to another by {worth}"
    )
