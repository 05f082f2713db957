"""Which side a free text takes, from weighted phrases a person can read and correct.

Phrases, not a trained model: the weights stand in the content file, every verdict can be traced to
the words that caused it, and nothing has to be fitted when the world is loaded. Sentences the
grammar knows count as what they are; in all others each cue phrase adds its weight to its side,
less in a clause that concedes, more in one that contrasts, and to the other side after a negation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from suffrage.worlds.adaptation.content import Cues, Stance, normalise
from suffrage.worlds.adaptation.grammar import WORK, Grammar, Unit

Verdict = Literal["support", "oppose", "balanced", "unclear"]

_ROLE_WEIGHT = {"c": 3.0, "a": 1.0, "+": 1.0, "-": 1.0, "k": 0.0, "z": 2.0, "s": 2.0, "y": 2.0}
_CONCEDED, _CONTRASTED = 0.3, 1.5
_LEAST = 1.1  # less is no stance: one weak word proves nothing
_EVEN = 0.2  # sides closer than this share of their sum are balanced
_OTHER: dict[Stance, Stance] = {"support": "oppose", "oppose": "support"}


@dataclass(frozen=True)
class Evidence:
    """One phrase or known sentence and what it counts for."""

    phrase: str
    stance: Stance
    weight: float


class StanceClassifier:
    """Weighs the phrases of a text."""

    def __init__(self, cues: Cues, grammar: Grammar, known_sentences: bool = True):
        """`known_sentences=False` leaves the grammar's own sentences to the phrases as well."""
        self._grammar = grammar
        self._known = known_sentences
        self._spaces = grammar.content.spaces
        self._reach = cues.reach
        sides: Mapping[Stance, dict[str, float]] = {
            "support": cues.support,
            "oppose": cues.oppose,
            "balanced": cues.balanced,
        }
        self._cues: dict[str, tuple[Stance, float]] = {
            self._bare(cue): (side, weight)
            for side, weights in sides.items()
            for cue, weight in weights.items()
        }
        self._ignored = {self._bare(phrase) for phrase in cues.ignore}
        written = (cue for weights in sides.values() for cue in weights)
        self._finder = self._any((*written, *cues.ignore))
        self._negators = self._any(cues.negators)
        self._concede = self._any(cues.concede)
        contrast = self._any(cues.contrast).pattern
        self._contrast = re.compile(contrast)
        self._clauses = re.compile(rf"[,.!?;:，。！？；：、…\n]+|(?={contrast})")

    def __call__(self, text: str) -> Verdict:
        """The side the text takes; unclear when it shows none."""
        return decide(self.evidence(text))

    def evidence(self, text: str) -> list[Evidence]:
        """Everything in the text that counts, in order."""
        mark = normalise(self._grammar.content.mark)
        found: list[Evidence] = []
        for sentence in self._grammar.without_titles(text).split(mark):
            unit = self._grammar.unit(sentence) if self._known else None
            found += _of_unit(unit) if unit else self._of_words(sentence)
        return found

    def _of_words(self, sentence: str) -> Iterator[Evidence]:
        sentence = self._finder.sub(self._unless_ignored, sentence)
        for clause in self._clauses.split(sentence):
            clause = clause.strip()
            factor = _CONTRASTED if self._contrast.match(clause) else 1.0
            if self._concede.match(clause):
                factor = _CONCEDED
            yield from self._of_clause(clause, factor)

    def _of_clause(self, clause: str, factor: float) -> Iterator[Evidence]:
        for match in self._finder.finditer(clause):
            before = clause[max(0, match.start() - self._reach) : match.start()]
            side, weight = self._look_up(match.group())
            if len(self._negators.findall(before)) % 2:
                side = _OTHER.get(side, side)
            yield Evidence(match.group(), side, weight * factor)

    def _unless_ignored(self, match: re.Match[str]) -> str:
        return match.group() if self._look_up(match.group())[1] else WORK

    def _look_up(self, phrase: str) -> tuple[Stance, float]:
        """The cue a phrase is or begins with; a weight of 0 for one to ignore."""
        if phrase in self._ignored:
            return "balanced", 0.0
        stems = (phrase[:size] for size in range(len(phrase), 0, -1))
        return next(self._cues[stem] for stem in stems if stem in self._cues)

    def _bare(self, cue: str) -> str:
        return normalise(cue.strip("*"), self._spaces)

    def _any(self, phrases: Iterable[str]) -> re.Pattern[str]:
        """Any of the phrases, the longest first; a `*` leaves that end of the word open."""
        ordered = sorted(phrases, key=lambda phrase: len(phrase.strip("*")), reverse=True)
        return re.compile("|".join(map(self._pattern, ordered)))

    def _pattern(self, phrase: str) -> str:
        inner = re.escape(self._bare(phrase))
        if not self._spaces:
            return inner
        start = "" if phrase.startswith("*") else r"\b"
        return rf"{start}{inner}\w*" if phrase.endswith("*") else rf"{start}{inner}\b"


def _of_unit(unit: Unit) -> list[Evidence]:
    return [Evidence(unit.sentence, unit.stance, _ROLE_WEIGHT[unit.role])]


def decide(evidence: Iterable[Evidence]) -> Verdict:
    """The heavier side; balanced where the sides are even or balance itself weighs more."""
    total = {"support": 0.0, "oppose": 0.0, "balanced": 0.0}
    for item in evidence:
        total[item.stance] += item.weight
    both, lead = total["support"] + total["oppose"], total["support"] - total["oppose"]
    if both + total["balanced"] < _LEAST:
        return "unclear"
    if abs(lead) < max(total["balanced"], _EVEN * both):
        return "balanced"
    return "support" if lead > 0 else "oppose"
