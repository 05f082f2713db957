"""The rows of each format that a group is exported as.

A row is tried on the reader of its own format before it is written, so that what cannot be read
back is left out with the reason, never written wrongly. The consensus is that of
`suffrage.data.preferences`; votes count without weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from suffrage.core.records import Completion, Group, Preference, Prompt
from suffrage.data.preferences import as_labels, as_pairs, as_ranking, consensus
from suffrage.data.readers import answers, preferences, rankings
from suffrage.data.readers.native import pack
from suffrage.data.views import ViewError
from suffrage.label.formats.comparisons import comparison_rows
from suffrage.label.formats.containers import Container
from suffrage.label.formats.made import Made, UnfitError, keep
from suffrage.stats.votes import latest, pair_votes


@dataclass(frozen=True)
class ExportFormat:
    """One format: its name, what a row is, and the function that makes a group's rows.

    The function gets the group and the container, which says how it gives a row back.
    """

    name: str
    row: str
    make: Callable[[Group, Container], Made]


def group_rows(group: Group, container: Container) -> Made:
    """The group itself, as JSON or, where cells hold no records, packed into texts."""
    return Made([group.to_json() if container.nests else dict(pack(group))], [])


def preference_rows(group: Group, container: Container) -> Made:
    """TRL's chosen and rejected, one row a pair; a pair with even votes has neither."""
    judged, preference = _consensus(group)
    cast = _votes_by_pair(group)
    made = Made([], [])
    for pair in as_pairs(preference, "trl-preference"):
        chosen, rejected = judged.completions[pair.first], judged.completions[pair.second]
        if pair.probability == 0.5:
            made.left_out.append("the votes on a pair are even, and TRL knows no tie")
            continue
        votes = cast.get(frozenset((chosen.id, rejected.id)), [])
        row = {
            "prompt": _prompt(judged.prompt),
            "chosen": _answer(judged.prompt, chosen),
            "rejected": _answer(judged.prompt, rejected),
            "vote_share": pair.probability,
            "weight": pair.weight * preference.weight,
            "strength": pair.strength,
            **_counts(votes, chosen.id),
            "raters": _names(rater for rater, _ in votes),
            "prompt_id": judged.prompt.id,
            "chosen_id": chosen.id,
            "rejected_id": rejected.id,
        }
        keep(made, row, preferences.EXPLICIT, judged.prompt, (chosen, rejected), container)
    return made


def unpaired_rows(group: Group, container: Container) -> Made:
    """TRL's completion with a label, one row a completion that has one.

    The counts are of raters, each by their own judgments.
    """
    judged, preference = _consensus(group)
    own = {rater: _labels_of(group, rater) for rater in _raters(group)}
    made = Made([], [])
    for place, share in as_labels(preference, "trl-unpaired"):
        completion = judged.completions[place]
        if share == 0.5:
            made.left_out.append("the votes on a completion are even, and TRL knows no tie")
            continue
        said = {
            rater: votes[completion.id] for rater, votes in own.items() if completion.id in votes
        }
        up = sum(said.values())
        row = {
            "prompt": _prompt(judged.prompt),
            "completion": _answer(judged.prompt, completion),
            "label": share > 0.5,
            "vote_share": share,
            "weight": preference.weight,
            "votes_for": up,
            "votes_against": len(said) - up,
            "raters": list(said),
            "prompt_id": judged.prompt.id,
            "completion_id": completion.id,
        }
        keep(made, row, answers.UNPAIRED, judged.prompt, (completion,), container)
    if not made.rows and not made.left_out:
        made.left_out.append("no completion is found desirable or undesirable by most")
    return made


def _labels_of(group: Group, rater: str) -> dict[str, bool]:
    """What this rater alone finds desirable or not."""
    said = tuple(one for one in latest(group.judgments) if one.rater == rater)
    alone = consensus(group.model_copy(update={"judgments": said, "preference": None}))
    try:
        found = as_labels(alone.preference or Preference())
    except ViewError:  # a demonstration alone labels nothing
        return {}
    return {alone.completions[place].id: share > 0.5 for place, share in found if share != 0.5}


def ranking_rows(group: Group, container: Container) -> Made:
    """The completions with their ranks, one row a group; `vote_shares` holds the pairs."""
    judged, preference = _consensus(group)
    ranks = as_ranking(preference, "trl-ranking")
    cast = _votes_by_pair(group)
    completions = judged.completions[: len(ranks)]  # those after were compared by nobody
    shares = [
        [
            pair.first,
            pair.second,
            pair.probability,
            len(cast.get(frozenset((completions[pair.first].id, completions[pair.second].id)), ())),
        ]
        for pair in preference.pairs
    ]
    row = {
        "prompt": _prompt(judged.prompt),
        "completions": [_answer(judged.prompt, one) for one in completions],
        "ranks": list(ranks),
        "vote_shares": shares,
        "weight": preference.weight,
        "votes": sum(count for *_, count in shares),
        "raters": _names(rater for votes in cast.values() for rater, _ in votes),
        "prompt_id": judged.prompt.id,
        "completion_ids": [one.id for one in completions],
    }
    unranked = len(judged.completions) - len(completions)
    made = Made([], ["a completion that nobody ranked"] * unranked)
    keep(made, row, rankings.RANKED, judged.prompt, completions, container)
    return made


def _consensus(group: Group) -> tuple[Group, Preference]:
    judged = consensus(group)
    if judged.preference is None:
        raise UnfitError("holds neither a judgment nor a preference")
    return judged, judged.preference


Cast = list[tuple[str, str | None]]  # (rater, the id of the winner or None) of each vote


def _votes_by_pair(group: Group) -> dict[frozenset[str], Cast]:
    votes = pair_votes(group.judgments)
    cast: dict[frozenset[str], Cast] = {}
    for rater, item, choice in zip(votes.rater_V, votes.item_V, votes.choice_V, strict=True):
        first, second = votes.items[item][2:]
        winner = None if choice == 0.5 else first if choice > 0.5 else second
        cast.setdefault(frozenset((first, second)), []).append((votes.raters[rater], winner))
    return cast


def _counts(votes: Cast, chosen: str) -> dict[str, int]:
    won = sum(winner == chosen for _, winner in votes)
    tied = sum(winner is None for _, winner in votes)
    return {"votes_for": won, "votes_tied": tied, "votes_against": len(votes) - won - tied}


def _names(raters: Any) -> list[str]:
    return list(dict.fromkeys(raters))


def _raters(group: Group) -> list[str]:
    return _names(judgment.rater for judgment in latest(group.judgments))


def _prompt(prompt: Prompt) -> Any:
    if isinstance(prompt.content, str):
        return prompt.content
    return [turn.to_json() for turn in prompt.content]


def _answer(prompt: Prompt, completion: Completion) -> Any:
    """Text, or one message where the prompt is a conversation: TRL wants both in one form."""
    if isinstance(prompt.content, str):
        return completion.text
    return [{"role": "assistant", "content": completion.text}]


FORMATS: dict[str, ExportFormat] = {
    row.name: row
    for row in (
        ExportFormat("groups", "a group, with every judgment", group_rows),
        ExportFormat("trl-preference", "two completions, chosen and rejected", preference_rows),
        ExportFormat("trl-unpaired", "a completion, desirable or not", unpaired_rows),
        ExportFormat("trl-ranking", "all completions of a prompt and their ranks", ranking_rows),
        ExportFormat("comparisons", "one rater's vote on two completions", comparison_rows),
    )
}
