"""Reader of stance files: one question, an answer that supports and one that opposes.

Which of the two is preferred is not in the file but in `support_ratio`: of n rows the first
int(n r) prefer the supporting answer, the rest the opposing one. Completion 0 is always the
supporting one.
"""

from __future__ import annotations

from collections.abc import Sequence

from suffrage.core.records import Group
from suffrage.data.readers.row import FIRST_WINS, Format, Parts, Row, prompt_of, text

SIDES = ("support", "oppose")


def _sides(row: Row) -> Parts:
    replies = tuple(text(row[side], side) for side in SIDES)
    return Parts(prompt_of(row["prompt"]), replies, SIDES, FIRST_WINS)


def supporting_rows(rows: int, ratio: float) -> int:
    """int(rows * ratio), where a product such as .29 * 100 = 28.999... counts as 29."""
    return int(rows * ratio + 1e-9)


def take_sides(groups: Sequence[Group], ratio: float) -> list[Group]:
    """The groups with the first `supporting_rows` for the supporting answer, the rest against."""
    support = supporting_rows(len(groups), ratio)
    return [*groups[:support], *map(_opposing, groups[support:])]


def _opposing(group: Group) -> Group:
    """The group with its pair turned round; what it counts stays."""
    assert group.preference is not None  # every row of a stance file has one
    (pair,) = group.preference.pairs
    turned = pair.model_copy(update={"first": pair.second, "second": pair.first})
    preference = group.preference.model_copy(update={"pairs": (turned,)})
    return group.model_copy(update={"preference": preference})


def describe(rows: int, ratio: float) -> str:
    """The report's line about whom the rows prefer."""
    support = supporting_rows(rows, ratio)
    return (
        f"the first {support} rows prefer the supporting answer, the other {rows - support} the "
        f"opposing one (support_ratio {ratio:g})"
    )


STANCE = Format("stance file", ("prompt", *SIDES), ("pairs",), _sides)
