"""`suffrage label status`: how far the work has come, what holds it up, and rater by rater."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from suffrage.cli.arguments import parse, print_json
from suffrage.cli.label.project import existing, label_parser
from suffrage.cli.show import printable
from suffrage.core.results import Estimate
from suffrage.label.server.team_data import agreement_of, count_disputes, one_in
from suffrage.label.store.contents import groups
from suffrage.label.store.database import Store
from suffrage.label.store.progress import progress, votes_by_rater
from suffrage.label.store.raters import Rater, raters
from suffrage.label.store.skips import SkipCounts, Skipped, count_skips, skipped_items

VOTES = 20_000  # of more, a sample says how far raters agree; `suffrage agree` takes all
MOST = 20  # skipped items told
LONGEST = 200  # characters of a reason


def run(words: Sequence[str]) -> int:
    args = parse(label_parser("status"), words)
    store = existing(args)
    now, everybody, votes = progress(store, store.clock()), raters(store), votes_by_rater(store)
    agreed, skips, items = _agreement(store), count_skips(store), skipped_items(store, MOST)
    if args.json:
        rows = [
            {**_told(rater), "votes": votes.get(rater.id, 0), "skips": skips.by.get(rater.name, 0)}
            for rater in everybody
        ]
        skipped = {"items": skips.items, "times": skips.times, "most": [_row(one) for one in items]}
        print_json({**asdict(now), **asdict(agreed), "skipped": skipped, "raters": rows})
        return 0
    print(f"{now.votes} of {now.wanted} votes, {now.finished} of {now.items} items finished")
    print(f"in the last hour: {now.hour} votes by {now.active} raters")
    print(agreed)
    for rater in everybody:
        gone = f"  withdrew {rater.withdrawn[:10]}" if rater.withdrawn else ""
        print(f"  {votes.get(rater.id, 0):6}  {printable(rater.name)} ({rater.kind}){gone}")
    print("\n".join(_of_skips(skips, items)), end="\n" if items else "")
    return 0


@dataclass(frozen=True)
class _Agreement:
    """`one_prompt_in`: 1, or the sample that this is of."""

    agreement: dict[str, Any] | None
    in_dispute: int
    one_prompt_in: int

    def __str__(self) -> str:
        found = self.agreement and Estimate.model_validate(self.agreement)
        alpha = "not known yet" if not found or found.value is None else f"{found.value:.2f}"
        between = ""
        if found and found.low is not None and found.high is not None:
            between = f" (95 % interval {found.low:.2f} to {found.high:.2f})"
        of = f", of one prompt in {self.one_prompt_in}" if self.one_prompt_in > 1 else ""
        return f"agreement: alpha {alpha}{between}, {self.in_dispute} items in dispute{of}"


def _agreement(store: Store) -> _Agreement:
    every = one_in(store, VOTES)
    found = list(groups(store, every=every))
    alpha = agreement_of(found)
    told = None if alpha is None else alpha.model_dump(mode="json")
    return _Agreement(told, count_disputes(found), every)


def _of_skips(counts: SkipCounts, items: Sequence[Skipped]) -> list[str]:
    """What raters say cannot be judged; their words are hostile text."""
    if not items:
        return []
    lines = [f"{of_counts(counts)}:"]
    for one in items:
        wanted = "" if one.wanted is None else f", {one.votes} of {one.wanted} votes"
        lines.append(f"  {printable(one.prompt.id)} ({one.kind}{wanted})")
        lines += [f"    {printable(skip.rater)}: {_short(skip.reason)}" for skip in one.skips]
    more = counts.items - len(items)
    return [*lines, f"  and {more} more: see the team's page"] if more else lines


def of_counts(counts: SkipCounts) -> str:
    """How many items were skipped, and by whom how often, where that is told."""
    by = ", ".join(f"{printable(name)} {times}" for name, times in counts.by.items())
    return f"{counts.items} items skipped as impossible to judge" + (f", by {by}" if by else "")


def _short(reason: str) -> str:
    line = " ".join(printable(reason).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def _row(one: Skipped) -> dict[str, Any]:
    about = {"prompt": one.prompt.id, "kind": one.kind, "criterion": one.criterion}
    said = [asdict(skip) for skip in one.skips]
    return {**about, "votes": one.votes, "wanted": one.wanted, "skips": said}


def _told(rater: Rater) -> dict[str, Any]:
    """Without the id, which a link turns into a rater."""
    return {"name": rater.name, "kind": rater.kind, "withdrawn": rater.withdrawn}
