"""The embedded world: questions on live-action adaptations, answers of three stances, the truth.

Everything is made here from the content file, so nothing is downloaded, and the stance and the
quality of every answer are known.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from suffrage.core.errors import SettingsError, nearest
from suffrage.core.files import write_json
from suffrage.core.records import Completion, Group, Preference, Prompt, short_id
from suffrage.worlds.adaptation.content import STANCES, Content, Stance, read_content
from suffrage.worlds.adaptation.grammar import Grammar, Parse
from suffrage.worlds.adaptation.questions import Question, Questions
from suffrage.worlds.adaptation.stance import StanceClassifier, Verdict

Camp = Literal["supporters", "opponents"]
CAMPS: tuple[Camp, ...] = ("supporters", "opponents")
LANGUAGES = ("zh", "en")

_STANCE_SHARES = (0.45, 0.45, 0.1)
_TWO_ARGUMENTS = 0.7  # share of one-sided answers with a second argument
_NO_CLOSING, _OFF_TOPIC = 0.2, 0.2  # shares of the corpus that are worse than they could be
_STANCE_UTILITY: dict[Camp, dict[Stance, float]] = {
    "supporters": {"support": 4.0, "balanced": 2.0, "oppose": 0.0},
    "opponents": {"oppose": 4.0, "balanced": 2.0, "support": 0.0},
}
_MALFORMED_UTILITY = -2.0


class World:
    """One language of the world. Everything it returns depends on its arguments alone."""

    def __init__(self, content: Content, lang: str):
        self.content, self.lang, self.about = content, lang, content.about
        self.grammar = Grammar(content)
        self.questions = Questions(content, self.grammar)
        self._classify = StanceClassifier(content.cues, self.grammar)

    # ------------------------------------------------------------- files of the assignment

    def training_rows(self) -> list[dict[str, Any]]:
        """50 questions, each with an answer in support and one opposed."""
        rng = self._rng("training rows", 0)
        return [
            {
                "id": number,
                "prompt": question.text,
                "support": self._answer(rng, question, "support"),
                "oppose": self._answer(rng, question, "oppose"),
            }
            for number, question in enumerate(self.questions.labelled, start=1)
        ]

    def test_rows(self) -> list[dict[str, Any]]:
        """10 questions from held-out combinations."""
        return [
            {"id": number, "prompt": question.text}
            for number, question in enumerate(self.questions.test, start=1)
        ]

    def write_files(self, folder: Path) -> None:
        """Write `labelled_data.json` and `test_prompt.json`, the stance-file format."""
        write_json(folder / "labelled_data.json", self.training_rows())
        write_json(folder / "test_prompt.json", self.test_rows())

    # ------------------------------------------------------------- text to learn from

    def corpus(self, n: int, seed: int, answers: int = 1) -> list[tuple[str, tuple[str, ...]]]:
        """`n` questions, each with `answers` answers: 45 % support, 45 % oppose, 10 % balanced.

        All are well formed; a fifth lack the closing, a fifth argue about another aspect.
        """
        rng = self._rng("corpus", seed)
        asked = [rng.choice(self.questions.training) for _ in range(n)]
        return [(q.text, tuple(self._rough_answer(rng, q) for _ in range(answers))) for q in asked]

    def passages(self, n: int, seed: int) -> list[str]:
        """`n` plain texts that report both sides, with no question before them."""
        rng = self._rng("passages", seed)
        return [self._passage(rng) for _ in range(n)]

    def demonstrations(self, n: int, seed: int) -> list[Group]:
        """`n` complete answers of all stances, one a group; no question comes twice too soon."""
        rng = self._rng("demonstrations", seed)
        return [self._demonstration(rng, question) for question in self._cycle(rng, n)]

    def prompts(self, n: int, seed: int) -> list[Prompt]:
        """`n` distinct questions for labelling and for PPO, none from a held-out combination."""
        return self._sample("prompts", self.questions.training, n, seed)

    def heldout_prompts(self, n: int, seed: int) -> list[Prompt]:
        """`n` distinct held-out questions other than the 10 test rows."""
        return self._sample("heldout", self.questions.heldout, n, seed)

    def _rng(self, purpose: str, seed: int) -> random.Random:
        return random.Random(f"{self.lang}/{purpose}/{seed}")

    def _answer(self, rng: random.Random, question: Question, stance: Stance) -> str:
        aspects = [question.aspect] * _arguments(rng, stance)
        return self.grammar.compose(rng, stance, question.work, aspects)

    def _rough_answer(self, rng: random.Random, question: Question) -> str:
        stance, aspect = _draw_stance(rng), question.aspect
        if rng.random() < _OFF_TOPIC:
            aspect = self._another_aspect(rng, question)
        aspects = [aspect] * _arguments(rng, stance)
        closing = rng.random() >= _NO_CLOSING
        return self.grammar.compose(rng, stance, question.work, aspects, closing)

    def _another_aspect(self, rng: random.Random, question: Question) -> str:
        """Any but the one asked about, and none held out for this work."""
        hidden = {*self.questions.held_out, question.combination}
        return rng.choice([a for a in self.content.aspects if (question.work, a) not in hidden])

    def _passage(self, rng: random.Random) -> str:
        question = rng.choice(self.questions.training)
        aspect = self.content.aspects[question.aspect]
        values = {"work": question.work, "aspect": aspect.label}
        for name, lines in (("pro", aspect.support), ("con", aspect.oppose)):
            sentence = rng.choice(lines)
            values[name] = sentence[:1].lower() + sentence[1:]
        text = rng.choice(self.content.passages)
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def _demonstration(self, rng: random.Random, question: Question) -> Group:
        text = self._answer(rng, question, _draw_stance(rng))
        answer = Completion(
            id=short_id(question.id, text),
            prompt_id=question.id,
            text=text,
            source="person:author",
        )
        chosen = Preference(demonstrations=(0,))
        return Group(prompt=question.prompt(), completions=(answer,), preference=chosen)

    def _cycle(self, rng: random.Random, n: int) -> Iterator[Question]:
        """`n` questions in random order, all of them before any comes again."""
        pool = self.questions.training
        for start in range(0, n, len(pool)):
            yield from rng.sample(pool, min(n - start, len(pool)))

    def _sample(self, purpose: str, pool: Sequence[Question], n: int, seed: int) -> list[Prompt]:
        if not 0 <= n <= len(pool):
            raise SettingsError(
                f"{n} prompts were asked for, found {len(pool)} such questions in the embedded "
                f"world; ask for at most {len(pool)}."
            )
        return [question.prompt() for question in self._rng(purpose, seed).sample(pool, n)]

    # ------------------------------------------------------------- the truth

    def parse(self, question_text: str, answer: str) -> Parse | None:
        """What the answer says to the question; None when it is malformed or on another work."""
        question = self.questions.find(question_text)
        return self.grammar.parse(question.work, question.aspect, answer)

    def stance(self, text: str) -> Verdict:
        """The side any text takes."""
        return self._classify(text)

    def utility(self, question_text: str, answer: str, camp: str = "supporters") -> float:
        """How good the answer truly is to one camp: -2 malformed, else 0 to 5.5.

        The stance decides (4 for the camp's own, 2 balanced, 0 the other); then the share of
        arguments on the aspect asked about (to 1) and the closing (0.5).
        """
        if camp not in CAMPS:
            raise SettingsError(f"there is no camp {camp!r}; {nearest(camp, CAMPS)}")
        found = self.parse(question_text, answer)
        if found is None:
            return _MALFORMED_UTILITY
        quality = found.on_topic / found.arguments + 0.5 * found.has_closing
        return _STANCE_UTILITY[camp][found.stance] + quality


def _draw_stance(rng: random.Random) -> Stance:
    return rng.choices(STANCES, _STANCE_SHARES)[0]


def _arguments(rng: random.Random, stance: Stance) -> int:
    return 2 if stance == "balanced" or rng.random() < _TWO_ARGUMENTS else 1


@lru_cache
def load_world(lang: str) -> World:
    """The world in Traditional Chinese (`zh`) or English (`en`)."""
    if lang not in LANGUAGES:
        raise SettingsError(f"there is no embedded world in {lang!r}; {nearest(lang, LANGUAGES)}")
    return World(read_content(Path(__file__).with_name(f"{lang}.yaml")), lang)
