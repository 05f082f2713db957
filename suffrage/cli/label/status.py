"""`suffrage label status`: how far the work has come, and rater by rater."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from suffrage.cli.arguments import parse, print_json
from suffrage.cli.label.project import existing, label_parser
from suffrage.cli.show import printable
from suffrage.label.server.team_data import progress
from suffrage.label.store.database import Store
from suffrage.label.store.raters import Rater, raters
from suffrage.label.store.schema import judgments


def run(words: Sequence[str]) -> int:
    args = parse(label_parser("status"), words)
    store = existing(args)
    now, everybody, votes = progress(store, store.clock()), raters(store), _votes(store)
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


def _votes(store: Store) -> dict[str, int]:
    """Rater id -> votes, a corrected one counted once."""
    count = sa.select(judgments.c.rater_id, sa.func.count()).group_by(judgments.c.rater_id)
    with store.reading() as connection:
        rows = connection.execute(count.where(judgments.c.supersedes.is_(None))).all()
    return {row[0]: row[1] for row in rows}


def _told(rater: Rater) -> dict[str, Any]:
    """Without the id, which a link turns into a rater."""
    return {"name": rater.name, "kind": rater.kind, "withdrawn": rater.withdrawn}
