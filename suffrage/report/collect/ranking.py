"""Who wins: a leaderboard for each group of raters, and the one item chosen for all of them."""

from __future__ import annotations

import re

from suffrage.core.results import Choice, Estimate, Ranking, RankingResult
from suffrage.report.inputs import Inputs
from suffrage.report.notes import note_of
from suffrage.report.text import estimate, percent
from suffrage.report.words import Words

_CAMP = re.compile(r"camp (\d+)")


def collect(inputs: Inputs, words: Words) -> dict[str, object] | None:
    """One block a ranking result."""
    results = inputs.of(RankingResult)
    return {"results": [_block(result, words) for result in results]} if results else None


def _block(result: RankingResult, words: Words) -> dict[str, object]:
    return {
        "boards": [_board(ranking, result.by, words) for ranking in result.rankings],
        "groups": [_group(ranking.group, result.by, words) for ranking in result.rankings],
        "choices": [_choice(choice, result, words) for choice in result.choices],
        "lottery": _lottery(result, words),
        "gains": [
            words("ranking.gain", camps=camps, gain=estimate(gain, share=False))
            for camps, gain in result.camp_gains.items()
        ],
        "camps": [
            {"name": _group(camp.name, "camp", words), "raters": words.join([*camp.raters])}
            for camp in result.camps
        ],
    }


def _board(ranking: Ranking, by: str, words: Words) -> dict[str, object]:
    return {
        "title": _group(ranking.group, by, words) if by else "",
        "method": words(f"ranking.method.{ranking.method}"),
        "basis": words(
            "ranking.basis",
            comparisons=f"{ranking.comparisons:,}",
            prompts=f"{ranking.prompts:,}",
            raters=f"{ranking.raters:,}",
        ),
        "rows": [
            {
                "place": _place(row.place, row.places),
                "item": row.item,
                "score": estimate(row.score, share=False),
                "win_rate": estimate(row.win_rate),
                "comparisons": f"{row.comparisons:,}",
            }
            for row in ranking.items
        ],
        "notes": _notes(ranking, words),
    }


def _group(name: str, by: str, words: Words) -> str:
    """A group's name with what it is split by; camps that were found are numbered."""
    if by == "camp" and (found := _CAMP.fullmatch(name)):
        return words("ranking.camp", n=found[1])
    return words("ranking.group", by=by, name=name or words("ranking.no_group"))


def _place(place: int, places: tuple[int, int]) -> str:
    low, high = places
    return f"{place}" if low == high else f"{place} ({low}–{high})"


def _notes(ranking: Ranking, words: Words) -> list[str]:
    """What the side and ties are worth, and every note on the figures once."""
    shown = [figure for row in ranking.items for figure in (row.score, row.win_rate)]
    shown.append(Estimate(value=None, note=ranking.note))
    said = [note_of(figure, words) for figure in shown]
    for name, figure in (("first_shown", ranking.first_shown), ("ties", ranking.ties)):
        if figure is not None:
            said.append(words(f"ranking.{name}", share=estimate(figure)))
    return [note for note in dict.fromkeys(said) if note]


def _choice(choice: Choice, result: RankingResult, words: Words) -> dict[str, object]:
    groups = (ranking.group for ranking in result.rankings)
    worth = [choice.worth.get(group) for group in groups]
    least = min((value for value in worth if value is not None), default=None)
    return {
        "rule": words(f"ranking.rule.{choice.rule}"),
        "item": choice.item,
        "share": percent(choice.share),
        "worth": ["–" if value is None else percent(value) for value in worth],
        "least": "–" if least is None else percent(least),
    }


def _lottery(result: RankingResult, words: Words) -> str:
    """The fairest mixture in a sentence, where it is more than one item."""
    if len(result.mixture) < 2 or result.mixture_worth is None:
        return ""
    parts = [f"{percent(share)} {item}" for item, share in result.mixture.items()]
    return words("ranking.lottery", mixture=words.join(parts), worth=percent(result.mixture_worth))
