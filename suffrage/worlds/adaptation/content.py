"""What the embedded world talks about: titles, aspects, sentences and cue phrases from a YAML file.

Content is data so that a teacher can edit it without reading code; every slip the generator or the
parser could trip over is refused here, in one sentence, when the file is read.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field

from suffrage.core.errors import DataError
from suffrage.core.files import read_text
from suffrage.core.records import Record, RecordError

Stance = Literal["support", "oppose", "balanced"]
STANCES: tuple[Stance, ...] = ("support", "oppose", "balanced")
Lines = Annotated[tuple[str, ...], Field(min_length=1)]
Weights = dict[str, Annotated[float, Field(gt=0)]]


class Sides(Record):
    """Sentences for and against."""

    support: Lines
    oppose: Lines


class Stances(Sides):
    """Sentences for each of the three stances."""

    balanced: Lines


class Aspect(Sides):
    """One angle of the question, its name in questions and its arguments."""

    label: str


class Connectors(Record):
    """Openers that join a sentence to the one before."""

    add: Lines  # a second argument for the same side
    contrast: Lines  # an argument for the other side
    conclude: Lines  # a closing after arguments
    yet: Lines  # a closing after a concession


class Cues(Record):
    """Phrases that betray a stance in free text; see `suffrage.worlds.adaptation.stance`."""

    reach: int = Field(gt=0)  # characters between a negator and the cue it turns round
    support: Weights
    oppose: Weights
    balanced: Weights
    ignore: tuple[str, ...] = ()
    negators: Lines
    concede: Lines
    contrast: Lines


class Content(Record):
    """One language of the world."""

    about: str
    mark: str = Field(min_length=1, max_length=1)  # ends a sentence
    spaces: bool  # words and sentences are set apart by spaces
    works: Annotated[tuple[str, ...], Field(min_length=20)]
    aspects: Annotated[dict[str, Aspect], Field(min_length=5)]
    questions: Lines
    claims: Stances
    concessions: Sides
    closings: Stances
    connectors: Connectors
    passages: Lines
    cues: Cues

    def sentences(self) -> Iterator[str]:
        """Every sentence an answer can hold, without connector and mark."""
        for group in (self.claims, self.closings):
            yield from (*group.support, *group.oppose, *group.balanced)
        for sides in (self.concessions, *self.aspects.values()):
            yield from (*sides.support, *sides.oppose)


def normalise(text: str, spaces: bool = True) -> str:
    """One form for texts that differ only in width, case or white space.

    NFKC makes full and half width equal, Chinese punctuation too; where a language has no spaces
    they are dropped, since a tokenizer may add or lose them.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    text = text.replace("’", "'").replace("‘", "'")
    return " ".join(text.split()) if spaces else "".join(text.split())


def title_pattern(content: Content) -> re.Pattern[str]:
    """Finds titles in normalised text, the longest first."""
    titles = sorted((normalise(w, content.spaces) for w in content.works), key=len, reverse=True)
    edge = r"\b" if content.spaces else ""
    return re.compile(f"{edge}(?:{'|'.join(map(re.escape, titles))}){edge}")


def read_content(path: Path) -> Content:
    """The content in a YAML file; `DataError` when it is not fit to build a world from."""
    text = read_text(path)
    try:
        content = Content.from_json(yaml.safe_load(text))
    except yaml.MarkedYAMLError as error:
        row = error.problem_mark.line + 1 if error.problem_mark else None
        raise DataError(f"is not YAML ({error.problem}); correct that line.", path, row) from None
    except RecordError as error:
        raise DataError(f"{error}; compare with the world's own file.", path) from None
    for problem in _problems(content):
        raise DataError(f"{problem}.", path)
    return content


def _problems(content: Content) -> Iterator[str]:
    sentences = list(content.sentences())
    repeated = Counter(normalise(s, content.spaces) for s in sentences)
    titles = title_pattern(content)
    for sentence in sentences:
        normal = normalise(sentence, content.spaces)
        if repeated[normal] > 1:
            yield f"the sentence {sentence!r} occurs twice; change or remove one"
        if titles.search(normal):
            yield f"the sentence {sentence!r} names a title; write {{work}} in its place"
        if content.mark in normal:
            yield f"the sentence {sentence!r} holds its own {content.mark!r}; remove it"
    for claim in (*content.claims.support, *content.claims.oppose, *content.claims.balanced):
        if "{work}" not in claim:
            yield f"the claim {claim!r} names no work; write {{work}} where the title belongs"
    yield from _aspect_problems(content)
    yield from _question_problems(content)


def _aspect_problems(content: Content) -> Iterator[str]:
    for name, aspect in content.aspects.items():
        if min(len(aspect.support), len(aspect.oppose)) < 2:
            yield f"the aspect {name!r} has a side with fewer than two arguments; add one"


def _question_problems(content: Content) -> Iterator[str]:
    if len(set(content.works)) < len(content.works):
        yield "a title occurs twice under works; remove one"
    labels = [aspect.label for aspect in content.aspects.values()]
    for label in labels:
        if sum(label in other for other in (*labels, *content.questions, *content.works)) > 1:
            yield f"the label {label!r} also stands in a question, title or label; choose another"
    for template in content.questions:
        if "{work}" not in template or "{aspect}" not in template:
            yield f"the question {template!r} needs both {{work}} and {{aspect}}"
