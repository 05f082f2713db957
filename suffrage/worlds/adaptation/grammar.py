"""How answers are put together and taken apart.

An answer is a claim that names the work, one or two arguments, perhaps a concession, and a
closing. Reading is the mirror of writing: each sentence is looked up, and the string of their roles
must match the form of its stance. So the verdict on a model's answer is exact, not a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from suffrage.worlds.adaptation.content import (
    STANCES,
    Connectors,
    Content,
    Sides,
    Stance,
    normalise,
    title_pattern,
)

# One letter a sentence. Claim c; argument a, added +, contrasted -; concession k; closing z,
# concluding s ("so ..."), in spite of a concession y ("but ...").
_ONE_SIDED = re.compile(r"ca[a+]{0,2}(?:k[zy]|[zs])?")
_BALANCED = re.compile(r"ca-[zs]?")
WORK = "\x00"  # stands for any title


@dataclass(frozen=True)
class Unit:
    """One sentence of an answer: what it does, for which side, about which aspect."""

    role: str
    stance: Stance
    sentence: str  # normalised, without its connector
    aspect: str = ""


@dataclass(frozen=True)
class Parse:
    """What a well-formed answer says."""

    stance: Stance
    work: str
    aspects: tuple[str, ...]  # of each argument, in order
    on_topic: int  # arguments about the aspect that was asked about
    has_closing: bool

    @property
    def arguments(self) -> int:
        return len(self.aspects)


class Grammar:
    """Writes and reads the answers of one language."""

    def __init__(self, content: Content):
        self.content = content
        self._titles = title_pattern(content)
        self._names = {normalise(work, content.spaces): work for work in content.works}
        self._lexicon = {self._key(text): unit for text, unit in self._entries()}

    # ------------------------------------------------------------------ writing

    def compose(
        self, rng: Random, stance: Stance, work: str, aspects: Sequence[str], closing: bool = True
    ) -> str:
        """An answer with one argument for each of `aspects`; a balanced one takes exactly two."""
        parts = [rng.choice(getattr(self.content.claims, stance))]
        parts += self._arguments(rng, stance, aspects)
        if closing:
            parts += self._ending(rng, stance)
        return self.join(parts).replace("{work}", work)

    def _arguments(self, rng: Random, stance: Stance, aspects: Sequence[str]) -> Iterator[str]:
        used: set[str] = set()
        sides = STANCES[:2] if stance == "balanced" else [stance] * len(aspects)
        for position, (side, aspect) in enumerate(zip(sides, aspects, strict=True)):
            lines = getattr(self.content.aspects[aspect], side)
            half = len(lines) // 2
            # Opening arguments and further ones: a small model then need not learn which one it
            # has just used, only where in the answer it is.
            fitting = lines[half:] if position else lines[:half]
            sentence = rng.choice([line for line in fitting if line not in used] or fitting)
            used.add(sentence)
            kind = "contrast" if stance == "balanced" else "add"
            optional = stance != "balanced" and rng.random() < 0.5
            yield sentence if not position or optional else self._opened(rng, kind, sentence)

    def _ending(self, rng: Random, stance: Stance) -> Iterator[str]:
        sentence = rng.choice(getattr(self.content.closings, stance))
        if stance != "balanced" and rng.random() < 0.25:
            yield rng.choice(getattr(self.content.concessions, stance))
            yield self._opened(rng, "yet", sentence)
        else:
            yield sentence if rng.random() < 0.5 else self._opened(rng, "conclude", sentence)

    def _opened(self, rng: Random, kind: str, sentence: str) -> str:
        return _open(rng.choice(getattr(self.content.connectors, kind)), sentence)

    def join(self, sentences: Iterable[str]) -> str:
        """Sentences with their marks, as one text."""
        gap = " " if self.content.spaces else ""
        return gap.join(sentence + self.content.mark for sentence in sentences)

    # ------------------------------------------------------------------ reading

    def works_in(self, text: str) -> list[str]:
        """The titles a text names, in order."""
        normal = normalise(text, self.content.spaces)
        return [self._names[title] for title in self._titles.findall(normal)]

    def without_titles(self, text: str) -> str:
        """The text, normalised, one placeholder for each title."""
        normal = normalise(text.replace(WORK, "\ufffd"), self.content.spaces)
        return self._titles.sub(WORK, normal)

    def unit(self, sentence: str) -> Unit | None:
        """What a sentence from `without_titles`, without its mark, is in the grammar."""
        return self._lexicon.get(sentence.strip())

    def units(self, text: str) -> Iterator[Unit | None]:
        """Each sentence looked up; None for one the grammar does not know or that is cut off."""
        *whole, rest = self.without_titles(text).split(normalise(self.content.mark))
        yield from map(self.unit, whole)
        if rest.strip():
            yield None

    def parse(self, work: str, aspect: str, answer: str) -> Parse | None:
        """What the answer says of `work` and `aspect`; None when it is malformed."""
        found = list(self.units(answer))
        units = [unit for unit in found if unit is not None]
        if not units or len(units) < len(found) or set(self.works_in(answer)) != {work}:
            return None
        if not _has_form(units):
            return None
        aspects = tuple(unit.aspect for unit in units if unit.aspect)
        return Parse(
            stance=units[0].stance,
            work=work,
            aspects=aspects,
            on_topic=aspects.count(aspect),
            has_closing=units[-1].role in "zsy",
        )

    def _key(self, text: str) -> str:
        marked = normalise(text.replace("{work}", WORK), self.content.spaces)
        return marked.strip()

    def _entries(self) -> Iterator[tuple[str, Unit]]:
        content, joins = self.content, self.content.connectors
        yield from self._versions("claims", content.claims, {"c": ("",)})
        yield from self._versions("concessions", content.concessions, {"k": ("",)})
        closing = {"s": joins.conclude, "y": joins.yet, "z": ("",)}
        yield from self._versions("closings", content.closings, closing)
        for name, aspect in content.aspects.items():
            yield from self._versions("arguments", aspect, _argument_openers(joins), name)

    def _versions(
        self, kind: str, sides: Sides, openers: dict[str, tuple[str, ...]], aspect: str = ""
    ) -> Iterator[tuple[str, Unit]]:
        for stance in STANCES:
            for sentence in getattr(sides, stance, ()):
                for role, joins in openers.items():
                    unit = Unit(role, stance, self._key(sentence), aspect)
                    yield from ((_open(join, sentence), unit) for join in joins)


def _argument_openers(joins: Connectors) -> dict[str, tuple[str, ...]]:
    return {"a": ("",), "+": joins.add, "-": joins.contrast}


def _open(connector: str, sentence: str) -> str:
    keeps_capital = not connector or sentence.startswith(("I ", "{work}"))
    return connector + (sentence if keeps_capital else sentence[:1].lower() + sentence[1:])


def _has_form(units: Sequence[Unit]) -> bool:
    """Roles in order, one stance throughout, nothing said twice."""
    form = "".join(unit.role for unit in units)
    stance = units[0].stance
    if len({unit.sentence for unit in units}) < len(units):
        return False
    if stance == "balanced":
        ends = {unit.stance for unit in units if not unit.aspect}
        sides = {unit.stance for unit in units if unit.aspect}
        return bool(_BALANCED.fullmatch(form)) and ends == {stance} and len(sides) == 2
    return bool(_ONE_SIDED.fullmatch(form)) and {unit.stance for unit in units} == {stance}
