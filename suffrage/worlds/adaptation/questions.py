"""The questions of the world, and which of them no text for training may touch.

One combination of work and aspect in five is held out, spread evenly over works and aspects, so a
held-out question is new to a model although it knows every title and every aspect.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from suffrage.core.errors import DataError
from suffrage.core.records import Message, Prompt, short_id
from suffrage.worlds.adaptation.content import Content, normalise
from suffrage.worlds.adaptation.grammar import Grammar

TRAINING_ROWS, TEST_ROWS = 50, 10
_HELD_OUT_EVERY = 5

Combination = tuple[str, str]  # (work, aspect)


@dataclass(frozen=True)
class Question:
    """One way to ask about one aspect of one work's adaptation."""

    id: str
    work: str
    aspect: str
    text: str

    @property
    def combination(self) -> Combination:
        return self.work, self.aspect

    def prompt(self) -> Prompt:
        """The question as a conversation of one turn."""
        return Prompt(
            id=self.id,
            content=(Message(role="user", content=self.text),),
            meta={"work": self.work, "aspect": self.aspect},
        )


class Questions:
    """Every question of one language, by what it may be used for."""

    def __init__(self, content: Content, grammar: Grammar):
        self._content, self._grammar = content, grammar
        self._labels = {
            normalise(aspect.label, content.spaces): name
            for name, aspect in content.aspects.items()
        }
        self._every = tuple(
            self._ask(work, aspect, template)
            for work in content.works
            for aspect in content.aspects
            for template in content.questions
        )

    @cached_property
    def held_out(self) -> frozenset[Combination]:
        """The combinations no training text touches."""
        return frozenset(
            (work, aspect)
            for row, work in enumerate(self._content.works)
            for column, aspect in enumerate(self._content.aspects)
            if (row + column) % _HELD_OUT_EVERY == 0
        )

    @cached_property
    def training(self) -> tuple[Question, ...]:
        """All questions outside the held-out combinations."""
        return tuple(q for q in self._every if q.combination not in self.held_out)

    @cached_property
    def test(self) -> tuple[Question, ...]:
        """The test rows' questions, each of another held-out combination."""
        pool = [q for q in self._every if q.combination in self.held_out]
        return self._spread(TEST_ROWS, pool)

    @cached_property
    def heldout(self) -> tuple[Question, ...]:
        """All questions of held-out combinations but the test rows' own."""
        tested = set(self.test)
        return tuple(q for q in self._every if q.combination in self.held_out and q not in tested)

    @cached_property
    def labelled(self) -> tuple[Question, ...]:
        """The training rows' questions, each of another combination."""
        return self._spread(TRAINING_ROWS, self.training)

    def find(self, text: str) -> Question:
        """What a question asks about; `DataError` when it is not of this world."""
        works = self._grammar.works_in(text)
        normal = normalise(text, self._content.spaces)
        aspects = [name for label, name in self._labels.items() if label in normal]
        if len(set(works)) != 1 or len(aspects) != 1:
            raise DataError(
                f"the embedded world cannot judge answers to {text[:60]!r}, which does not name "
                "exactly one of its works and one of its aspects; ask one of its own questions."
            )
        return Question(self._id(text), works[0], aspects[0], text)

    def _ask(self, work: str, aspect: str, template: str) -> Question:
        label = self._content.aspects[aspect].label
        text = template.replace("{aspect}", label).replace("{work}", work)
        return Question(self._id(text), work, aspect, text)

    def _id(self, text: str) -> str:
        return short_id("adaptation", text)

    def _spread(self, n: int, pool: Sequence[Question]) -> tuple[Question, ...]:
        """`n` questions of different combinations, works and aspects used evenly."""
        questions = random.Random("spread").sample(pool, len(pool))
        works = dict.fromkeys(self._content.works, 0)
        aspects = dict.fromkeys(self._content.aspects, 0)
        chosen: dict[Combination, Question] = {}
        while len(chosen) < n:
            open_ones = (q for q in questions if q.combination not in chosen)
            best = min(open_ones, key=lambda q: (works[q.work], aspects[q.aspect]))
            chosen[best.combination] = best
            works[best.work] += 1
            aspects[best.aspect] += 1
        return tuple(chosen.values())
