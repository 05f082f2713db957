"""After a practice item: what the rater said, and what was expected."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from suffrage.label.server.assigned import Assigned
from suffrage.label.server.kinds import letters
from suffrage.label.server.words import Words
from suffrage.label.store.database import Store
from suffrage.label.store.expected import Value, as_value, meaning
from suffrage.label.store.schema import judgments


@dataclass(frozen=True)
class Feedback:
    """Both votes in the words of the page."""

    right: bool
    yours: str
    expected: str


def feedback_of(store: Store, assigned: Assigned, words: Words) -> Feedback | None:
    """None where the item has no expected answer."""
    if assigned.expected is None:
        return None
    chosen = sa.select(judgments.c.value).where(judgments.c.number == assigned.judged)
    with store.reading() as connection:
        found = connection.execute(chosen).scalar_one()
    value = tuple(map(tuple, found)) if isinstance(found, list) else found
    expected = as_value(assigned.kind, assigned.expected, assigned.shown)
    return Feedback(
        right=meaning(assigned.kind, value, assigned.shown) == assigned.expected,
        yours=said(assigned, value, words),
        expected=said(assigned, expected, words),
    )


def said(assigned: Assigned, value: Value, words: Words) -> str:
    """A vote as a sentence, its answers by their names on the screen."""
    if assigned.kind == "pair":
        if value in ("a", "b"):
            return words("pair.choose", name=letters(2)["ab".index(str(value))])
        return words(f"pair.{value}")
    if isinstance(value, tuple):
        place = {name: str(number) for number, name in enumerate(assigned.shown, 1)}
        return " > ".join(" = ".join(sorted(place[name] for name in tied)) for tied in value)
    if assigned.kind == "grade":
        return f"{value}: {words(f'grade.{value}')}"
    return words(f"thumb.{value}") if assigned.kind == "thumb" else str(value)
