"""`suffrage label rules`: how work is given out and how fast it may be done, also while served."""

from __future__ import annotations

from collections.abc import Sequence

from suffrage.cli.arguments import number, parse, print_json, whole
from suffrage.cli.label.project import existing, label_parser
from suffrage.core.errors import SettingsError
from suffrage.core.records import RecordError
from suffrage.label.store.settings import Rules, rules, write_rules


def run(words: Sequence[str]) -> int:
    parser = label_parser("rules")
    best = "the least judged item, or of those the comparison that teaches most about the models"
    parser.add_argument("--choice", choices=("even", "active"), help=best)
    parser.add_argument("--paused", choices=("yes", "no"), help="give out nothing for now")
    parser.add_argument("--lease-seconds", type=number, help="after which others get an item")
    parser.add_argument("--seconds-between", type=number, help="at least, two votes of a rater")
    parser.add_argument("--per-hour", type=whole(0), help="at most, votes of a rater; 0: no limit")
    parser.add_argument("--per-day", type=whole(0), help="at most, votes of a rater; 0: no limit")
    args = parse(parser, words)
    store = existing(args)
    known = rules(store).model_dump()
    given = {name: value for name, value in vars(args).items() if name in known}
    changed = {name: _read(name, value) for name, value in given.items() if value is not None}
    if changed:
        write_rules(store, _checked({**known, **changed}), "team")
    now = rules(store).model_dump()
    print_json(now) if args.json else print("\n".join(f"{k:16} {v}" for k, v in now.items()))
    return 0


def _read(name: str, value: object) -> object:
    if name == "paused":
        return value == "yes"
    return None if name in ("per_hour", "per_day") and value == 0 else value


def _checked(values: dict[str, object]) -> Rules:
    try:
        return Rules.from_json(values)
    except RecordError as error:
        raise SettingsError(f"{error}; see `suffrage label rules --help`.") from error
