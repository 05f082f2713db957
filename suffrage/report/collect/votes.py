"""What the judgments of a group say of each completion, in a few words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from suffrage.core.records import Group, Judgment
from suffrage.report.words import Words


def standing(judgments: Sequence[Judgment]) -> list[Judgment]:
    """The judgments no later one corrects."""
    corrected = {judgment.supersedes for judgment in judgments}
    return [judgment for judgment in judgments if judgment.id not in corrected]


def votes(group: Group, completion: str, words: Words) -> list[str]:
    """One phrase a kind of judgment that speaks of the completion."""
    about = [vote for vote in standing(group.judgments) if completion in vote.completions]
    phrases = []
    for kind, phrase in _PHRASES.items():
        of_kind = [vote for vote in about if vote.kind == kind]
        if of_kind:
            phrases.append(phrase(of_kind, completion, words))
    return phrases


def places(ranking: Judgment) -> dict[str, float]:
    """Completion id -> place from 1; tied ones share the mean of the places they take."""
    found: dict[str, float] = {}
    before = 0
    for tied in ranking.value if isinstance(ranking.value, tuple) else ():
        found.update(dict.fromkeys(tied, before + (len(tied) + 1) / 2))
        before += len(tied)
    return found


def mean_place(group: Group, completion: str) -> float | None:
    """The completion's mean place over the rankings that hold it."""
    ranks = [places(vote) for vote in standing(group.judgments) if vote.kind == "ranking"]
    found = [rank[completion] for rank in ranks if completion in rank]
    return sum(found) / len(found) if found else None


def _ranking(judgments: list[Judgment], completion: str, words: Words) -> str:
    ranks = [places(judgment)[completion] for judgment in judgments]
    of = max(len(judgment.completions) for judgment in judgments)
    return words("votes.place", place=f"{sum(ranks) / len(ranks):.1f}", of=of, n=len(ranks))


def _pair(judgments: list[Judgment], completion: str, words: Words) -> str:
    won = sum(
        judgment.value in ("a", "b")
        and judgment.completions["ab".index(str(judgment.value))] == completion
        for judgment in judgments
    )
    return words("votes.won", won=won, n=len(judgments))


def _rating(judgments: list[Judgment], completion: str, words: Words) -> str:
    values = [judgment.value for judgment in judgments if isinstance(judgment.value, int)]
    return words("votes.rating", mean=f"{sum(values) / len(values):.1f}", n=len(values))


def _tally(judgments: list[Judgment], completion: str, words: Words) -> str:
    counts = Counter(str(judgment.value) for judgment in judgments)
    named = [f"{words.known(f'votes.{name}', name)} {counts[name]}" for name in sorted(counts)]
    return ", ".join(named)


_PHRASES: dict[str, Callable[[list[Judgment], str, Words], str]] = {
    "ranking": _ranking,
    "pair": _pair,
    "rating": _rating,
    "grade": _tally,
    "thumb": _tally,
}
