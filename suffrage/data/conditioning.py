"""Telling a model how good an answer is: phrases at the end of the prompt, and who gets which.

A model trained on such prompts is asked after the good phrase, so that answers raters disliked
teach it something too. The phrase stands in the prompt's own language and on a line of its own: the
answer's text is the same with and without it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from suffrage.core.errors import DataError, ModelError
from suffrage.core.files import read_json, write_json
from suffrage.core.records import Message, Prompt, SoftPair
from suffrage.data.views import BAD, GOOD, MIDDLING

FILE = "suffrage.json"  # beside a model
CHINESE = re.compile(r"[㐀-鿿豈-﫿\U00020000-\U0003ffff]")


@dataclass(frozen=True)
class Condition:
    """What is said at the end of a prompt, in the prompt's language."""

    english: str
    chinese: str

    def phrase(self, prompt: Prompt) -> str:
        """The Chinese wording where the prompt holds a Chinese character."""
        return self.chinese if CHINESE.search(prompt.text) else self.english

    def of(self, prompt: Prompt, plain: bool) -> Prompt:
        """The prompt with the phrase at its end; `plain` as in `with_phrase`."""
        return with_phrase(prompt, self.phrase(prompt), plain)


def with_phrase(prompt: Prompt, phrase: str, plain: bool) -> Prompt:
    """The prompt with the phrase as its last line.

    plain: whether it is a text to go on from; else the phrase ends the user's last turn, or is a
    turn of its own after another role's.
    """
    if plain:
        text = str(prompt.content)
        apart = "" if not text or text.endswith("\n") else "\n"
        return prompt.model_copy(update={"content": f"{text}{apart}{phrase}\n"})
    said = turns(prompt)
    before, content = said, phrase
    if said and said[-1].role == "user":
        before, content = said[:-1], f"{said[-1].content}\n\n{phrase}"
    asked = Message(role="user", content=content)
    return prompt.model_copy(update={"content": (*before, asked)})


def turns(prompt: Prompt) -> tuple[Message, ...]:
    """The prompt as a conversation; a plain text is the user's one turn."""
    if isinstance(prompt.content, str):
        return (Message(role="user", content=prompt.content),)
    return prompt.content


# Chain of Hindsight: each wording of a good and of a bad answer; the first is asked after.
WORDINGS = (
    (
        Condition("A helpful answer:", "有幫助的回答："),
        Condition("An unhelpful answer:", "沒有幫助的回答："),
    ),
    (Condition("A good answer:", "好的回答："), Condition("A bad answer:", "不好的回答：")),
    (
        Condition("A better answer:", "比較好的回答："),
        Condition("A worse answer:", "比較差的回答："),
    ),
    (
        Condition("The answer people prefer:", "大家比較喜歡的回答："),
        Condition("The answer people like less:", "大家比較不喜歡的回答："),
    ),
    (
        Condition("A response that deserves praise:", "值得稱讚的回應："),
        Condition("A response that deserves criticism:", "應該批評的回應："),
    ),
    (
        Condition("An answer that satisfies:", "讓人滿意的回答："),
        Condition("An answer that disappoints:", "讓人失望的回答："),
    ),
)
# Conditional behaviour cloning: one wording a class, from the best to the worst.
CLASSES = {
    GOOD: Condition("A good answer:", "好的回答："),
    MIDDLING: Condition("A middling answer:", "普通的回答："),
    BAD: Condition("A bad answer:", "不好的回答："),
}
# What a model is asked after, once it has learned from this view of the data.
ASKED_AFTER = {"comparisons": WORDINGS[0][0], "classes": CLASSES[GOOD]}


@dataclass(frozen=True)
class Told:
    """An answer (its place in the group) and what is said of it before it."""

    completion: int
    condition: Condition


Chain = tuple[Told, ...]  # answers in one sequence; each is read with those before it


def compared(prompt: Prompt, pairs: Sequence[SoftPair], seed: int) -> list[Chain]:
    """Both answers of every pair the raters decided (Chain of Hindsight, 2302.02676):

        prompt, phrase, answer, phrase, other answer

    Each phrase says what raters thought of the answer after it. Which answer comes first, and the
    wording, are drawn by the seed and the prompt's id. The answers are learned, not the phrases;
    the second is read with the first in sight. pairs: of places in the group. Loses how sure the
    votes were and how much they weigh, and the pairs on which the raters are evenly split. Left out
    of the paper: hiding some of the tokens before (its guard against copying the first answer), and
    a share of pretraining text.
    """
    draw = np.random.default_rng([seed, zlib.crc32(prompt.id.encode())])
    chains: list[Chain] = []
    for pair in pairs:
        if pair.probability != 0.5:
            good, bad = WORDINGS[int(draw.integers(len(WORDINGS)))]
            both = (pair.first, pair.second)
            better, worse = both if pair.probability > 0.5 else both[::-1]
            chain = (Told(better, good), Told(worse, bad))
            chains.append(chain if draw.integers(2) else chain[::-1])
    return chains


def classed(places: Sequence[int], qualities: Sequence[float]) -> list[Chain]:
    """Each answer alone, after the wording of its class: 1 is good, 0.5 middling, 0 bad."""
    told = zip(places, qualities, strict=True)
    return [(Told(place, CLASSES[quality]),) for place, quality in told]


def save_condition(condition: Condition | None, folder: Path) -> None:
    """Write beside a model what it is asked after; nothing where that is nothing."""
    if condition is not None:
        write_json(folder / FILE, {"condition": asdict(condition)})


def load_condition(folder: str | Path) -> Condition | None:
    """What the model in this folder is asked after; `ModelError` where that file is damaged."""
    file = Path(folder) / FILE
    if not file.exists():
        return None
    try:
        kept = read_json(file)["condition"]
        condition = Condition(kept["english"], kept["chinese"])
        if not isinstance(condition.english + condition.chinese, str):
            raise TypeError(kept)
        return condition
    except (ValueError, TypeError, KeyError, DataError) as error:
        raise ModelError(
            f"{file} is damaged: it holds no condition with an english and a chinese phrase; copy "
            "or train the model again."
        ) from error
