"""What the team's pages say, read from the store."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import sqlalchemy as sa

from suffrage.core.records import Group, Json, Judgment, Prompt
from suffrage.core.results import Estimate, RatersResult
from suffrage.label.store.database import Store
from suffrage.label.store.expected import meaning
from suffrage.label.store.progress import votes_by_rater
from suffrage.label.store.raters import Rater, raters
from suffrage.label.store.schema import assignments, judgments, tasks
from suffrage.label.store.schema import raters as raters_table
from suffrage.stats.raters import overall_alpha, raters_result

ROUNDS = 200  # of the bootstrap: the page is looked at often, and `agree` has the last word
POINTS = 6  # of the picture of agreement as it grew
MOST_DISPUTES = 50


@dataclass(frozen=True)
class Point:
    """Agreement over the first `votes` votes."""

    votes: int
    alpha: Estimate


@dataclass(frozen=True)
class Figures:
    """`result` is None while no completion was judged; `given`: votes of each rater, by name.

    Answers that raters wrote are votes too, but nothing that they could agree on.
    """

    votes: int
    given: dict[str, int]
    result: RatersResult | None
    growth: tuple[Point, ...]
    prompts: int
    each: float  # votes a prompt, of those that have any


def figures_of(groups: Sequence[Group]) -> Figures:
    """Agreement and raters from the judgments that stand."""
    said = [judgment for group in groups for judgment in group.judgments]
    judged = _of_completions(said)
    prompts = len({judgment.prompt_id for judgment in judged})
    return Figures(
        votes=len(said),
        given=Counter(judgment.rater for judgment in said),
        result=raters_result(judged, rounds=ROUNDS) if judged else None,
        growth=tuple(_growth(judged)),
        prompts=prompts,
        each=len(judged) / prompts if prompts else 0.0,
    )


def _of_completions(said: Iterable[Judgment]) -> list[Judgment]:
    """Judgments of completions, in the order they came: an answer that was written judges none."""
    judged = [judgment for judgment in said if judgment.kind != "demonstration"]
    return sorted(judged, key=lambda judgment: judgment.created or "")


def one_in(store: Store, votes: int) -> int:
    """One prompt in how many holds about so many votes: a sample that does not take minutes."""
    with store.reading() as connection:
        last = connection.scalar(sa.select(sa.func.max(judgments.c.number))) or 0
    return max(1, math.ceil(last / votes))


def agreement_of(groups: Iterable[Group]) -> Estimate | None:
    """The alpha of `figures_of` without the rest; None while no completion was judged."""
    judged = _of_completions(one for group in groups for one in group.judgments)
    return overall_alpha(judged, rounds=ROUNDS) if judged else None


def _growth(judged: Sequence[Judgment]) -> Iterable[Point]:
    counts = sorted({round(len(judged) * step / POINTS) for step in range(1, POINTS + 1)})
    for votes in counts:
        if votes >= 2:
            yield Point(votes, overall_alpha(judged[:votes], rounds=ROUNDS))


@dataclass(frozen=True)
class Seen:
    """What only the store knows of a rater; `gold`: right, and how many."""

    rater: Rater
    votes: int
    seconds: float | None
    gold: tuple[int, int]


def seen_raters(store: Store, every: int = 1) -> list[Seen]:
    """Everybody, with their votes, their median time and their gold items; none of who withdrew.

    `every`: the times are those of one vote in so many, a sample.
    """
    chosen = (
        sa.select(
            assignments.c.rater_id,
            judgments.c.seconds,
            judgments.c.value,
            judgments.c.shown,
            tasks.c.kind,
            tasks.c.purpose,
            tasks.c.expected,
        )
        .join(judgments, judgments.c.number == assignments.c.judged)
        .join(tasks, tasks.c.id == assignments.c.task_id)
        .join(raters_table, raters_table.c.id == assignments.c.rater_id)
        .where((tasks.c.purpose == "gold") | (judgments.c.number % every == 0))
        .where(raters_table.c.withdrawn.is_(None))
    )
    votes = votes_by_rater(store)
    times: dict[str, list[float]] = defaultdict(list)
    gold: dict[str, list[bool]] = defaultdict(list)
    with store.reading() as connection:
        for row in connection.execute(chosen, execution_options={"yield_per": 1000}):
            times[row.rater_id] += [] if row.seconds is None else [row.seconds]
            if row.purpose == "gold" and row.expected is not None:
                given = meaning(row.kind, _as_value(row.value), row.shown)
                gold[row.rater_id].append(given == row.expected)
    return [
        Seen(
            rater,
            votes.get(rater.id, 0),
            median(times[rater.id]) if times[rater.id] else None,
            (sum(gold[rater.id]), len(gold[rater.id])),
        )
        for rater in raters(store)
    ]


def _as_value(value: Json) -> Json:
    return tuple(map(tuple, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class Dispute:
    """One item and what its raters said of each completion, in `notes` by completion.

    `split`: the share of votes that differ from the commonest.
    """

    prompt: Prompt
    kind: str
    criterion: str
    texts: tuple[str, ...]
    notes: tuple[tuple[str, ...], ...]
    undecided: int
    raters: int
    split: float
    reasons: tuple[str, ...]


def disputes(groups: Iterable[Group], most: int = MOST_DISPUTES) -> list[Dispute]:
    """Items on which raters contradict each other, the most divided first."""
    found = [_dispute(group, said) for group in groups for said in _disputed(group)]
    found.sort(key=lambda dispute: (-dispute.split, -dispute.raters))
    return found[:most]


def count_disputes(groups: Iterable[Group]) -> int:
    """How many items `disputes` would find without an end."""
    return sum(len(_disputed(group)) for group in groups)


def _disputed(group: Group) -> list[list[Judgment]]:
    """What was said of each item of the prompt on which not all said the same."""
    items: dict[tuple[str, str, frozenset[str]], list[Judgment]] = defaultdict(list)
    for one in group.judgments:
        if one.kind != "demonstration":
            items[one.kind, one.criterion, frozenset(one.completions)].append(one)
    return [said for said in items.values() if _split(said) > 0]


def _split(said: Sequence[Judgment]) -> float:
    meanings = Counter(str(meaning(one.kind, one.value, one.completions)) for one in said)
    return 1 - meanings.most_common(1)[0][1] / len(said)


def _dispute(group: Group, said: Sequence[Judgment]) -> Dispute:
    kind, ids = said[0].kind, set(said[0].completions)
    chosen = [completion for completion in group.completions if completion.id in ids]
    return Dispute(
        prompt=group.prompt,
        kind=kind,
        criterion=said[0].criterion,
        texts=tuple(completion.text for completion in chosen),
        notes=tuple(tuple(_notes(said, completion.id)) for completion in chosen),
        undecided=sum(one.value in ("tie", "both_bad") for one in said),
        raters=len({one.rater for one in said}),
        split=_split(said),
        reasons=tuple(one.reason for one in said if one.reason),
    )


def _notes(said: Sequence[Judgment], name: str) -> list[str]:
    """What each vote gave this completion: a place, a number, a grade; for a pair, a win."""
    if said[0].kind == "pair":
        wins = sum(one.value in ("a", "b") and _winner(one) == name for one in said)
        return [str(wins)]
    if said[0].kind == "ranking":
        return sorted(_place(one, name) for one in said)
    return sorted(str(one.value) for one in said)


def _winner(judgment: Judgment) -> str:
    return judgment.completions["ab".index(str(judgment.value))]


def _place(judgment: Judgment, name: str) -> str:
    above = 0
    for tied in judgment.value if isinstance(judgment.value, tuple) else ():
        if name in tied:
            break
        above += len(tied)
    return str(above + 1)
