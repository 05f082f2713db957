"""`suffrage label status`: how far the work has come, and rater by rater."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from suffrage.cli.arguments import parse, print_json
from suffrage.cli.label.project import existing, label_parser
from suffrage.cli.show import printable
from suffrage.label.store.progress import progress, votes_by_rater
from suffrage.label.store.raters import Rater, raters


def run(words: Sequence[str]) -> int:
    args = parse(label_parser("status"), words)
    store = existing(args)
    now, everybody, votes = progress(store, store.clock()), raters(store), votes_by_rater(store)
    if args.json:
        rows = [{**_told(rater), "votes": votes.get(rater.id, 0)} for rater in everybody]
        print_json({**asdict(now), "raters": rows})
        return 0
    print(f"{now.votes} of {now.wanted} votes, {now.finished} of {now.items} items finished")
    print(f"in the last hour: {now.hour} votes by {now.active} raters")
    for rater in everybody:
        gone = f"  withdrew {rater.withdrawn[:10]}" if rater.withdrawn else ""
        print(f"  {votes.get(rater.id, 0):6}  {printable(rater.name)} ({rater.kind}){gone}")
    return 0


def _told(rater: Rater) -> dict[str, Any]:
    """Without the id, which a link turns into a rater."""
    return {"name": rater.name, "kind": rater.kind, "withdrawn": rater.withdrawn}
