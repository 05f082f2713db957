"""Preferences of files that name no raters: kept as they came, and shown until somebody judges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from suffrage.core.records import Completion, Group, Preference, SoftPair
from suffrage.data.views import ViewError, as_pairs
from suffrage.label.store.schema import preferences

Kept = tuple[Sequence[str], Preference]  # ids of completions, and what was said of them by place


def is_unsigned(group: Group) -> bool:
    """Whether the group's preference is all that tells what people think: nobody is named."""
    return group.preference is not None and not group.judgments


def kept_of(connection: Connection, prompt_ids: Iterable[str]) -> dict[str, Kept]:
    """What the project keeps, by prompt."""
    rows = connection.execute(
        sa.select(preferences).where(preferences.c.prompt_id.in_(list(prompt_ids)))
    )
    return {row.prompt_id: (row.completions, Preference.from_json(row.value)) for row in rows}


def row_of(prompt_id: str, kept: Kept) -> dict[str, Any]:
    """As a row of `preferences`."""
    names, preference = kept
    return {"prompt_id": prompt_id, "completions": list(names), "value": preference.to_json()}


def preference_of(kept: Kept, completions: Sequence[Completion]) -> Preference:
    """What was said, of these completions: those it was said of and perhaps others.

    Where there are others, ranks and scores, which need a figure for each, become the pairs that
    they imply.
    """
    names, said = kept
    ids = [one.id for one in completions]
    if ids == list(names):
        return said
    if len(ids) > len(names):
        said = _without_figures(said)
    place = [ids.index(name) for name in names]
    return Preference(
        pairs=tuple(_moved(pair, place) for pair in said.pairs),
        ranks=_spread(said.ranks, place, len(ids)),
        scores=_spread(said.scores, place, len(ids)),
        labels=_spread(said.labels, place, len(ids)),
        demonstrations=said.demonstrations and tuple(place[k] for k in said.demonstrations),
        weight=said.weight,
        raters=said.raters,
    )


def _without_figures(said: Preference) -> Preference:
    try:
        pairs = as_pairs(said.model_copy(update={"labels": None}))
    except ViewError:  # labels or demonstrations alone
        pairs = ()
    return said.model_copy(update={"pairs": pairs, "ranks": None, "scores": None})


def _moved(pair: SoftPair, place: Sequence[int]) -> SoftPair:
    update = {"first": place[pair.first], "second": place[pair.second]}
    return pair.model_copy(update=update)


def _spread(values: Sequence[Any] | None, place: Sequence[int], size: int) -> Any:
    """Each value in its new place, None elsewhere."""
    if values is None:
        return None
    found = dict(zip(place, values, strict=True))
    return tuple(found.get(k) for k in range(size))
