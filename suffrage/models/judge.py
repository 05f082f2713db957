"""A language model as a reward: it rates answers from 1 to 10, at hand or on a server.

A model at hand is not made to write: its rating is the expected one under the probabilities it
gives to the ten replies (G-Eval, 2303.16634, section 2), a number without sampling noise and finer
than ten steps. A server is asked at temperature 0 for the number itself.

Shape letters: B answers, K replies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from suffrage.core.files import append_jsonl, read_log
from suffrage.core.keys import content_key
from suffrage.core.records import Completion, Group, Json, Prompt
from suffrage.core.runs import SETTINGS
from suffrage.data.encode import Encoder, Tree
from suffrage.data.forest import pack, split
from suffrage.models.endpoint import Answer, Endpoint, NoAnswerError, ask_each, is_endpoint
from suffrage.models.forward import branch_sums, token_logps
from suffrage.models.judge_words import RATINGS, JudgeName, framed, rating_of
from suffrage.models.language_model import LanguageModel, load
from suffrage.models.sampling import Sampling

BUDGET = 16384  # tokens computed at once
SCORED = 2048  # of them replies, whose logits take memory
REPLY = Sampling(max_new_tokens=1024, temperature=0.0)  # room for those that reason first
ATTEMPTS, PATIENCE = 4, 120.0  # of each request, and seconds each


@dataclass(frozen=True)
class LocalJudge:
    """A judge at hand. What does not fit in its context has no rating: a cut frame frames nothing.

    special: the texts of its tokenizer's own tokens.
    """

    model: LanguageModel
    criteria: str
    encoder: Encoder
    special: tuple[str, ...]

    def scores(self, prompts: Sequence[Prompt], texts: Sequence[Sequence[str]]) -> Tensor:
        """(B,) on the CPU: the expected rating of every text, those of the first prompt first."""
        trees = [self._tree(prompt, text) for prompt, text in _flat(prompts, texts)]
        fitting = [tree for tree in trees if tree is not None]
        fits_B = torch.tensor([tree is not None for tree in trees], dtype=torch.bool)
        found_B = torch.full((len(trees),), math.nan)
        return found_B.masked_scatter(fits_B, expected_rating(self._reply_logps(fitting)))

    def _tree(self, prompt: Prompt, text: str) -> Tree | None:
        """The request with the ten replies, each closed by an end token: 1 is not half of 10."""
        asked = Prompt(id=prompt.id, content=framed(self.criteria, prompt.text, text, self.special))
        replies = tuple(Completion(id=str(k), prompt_id=prompt.id, text=str(k)) for k in RATINGS)
        return self.encoder.tree(Group(prompt=asked, completions=replies))

    def _reply_logps(self, trees: Sequence[Tree]) -> Tensor:
        parts = [torch.zeros(0, len(RATINGS))]
        with torch.no_grad():
            for indices in split(trees, BUDGET, SCORED):
                forest = pack([trees[i] for i in indices], self.model.layout).to(self.model.device)
                sums_B = branch_sums(token_logps(self.model.model, forest), forest)
                parts.append(sums_B.view(-1, len(RATINGS)).cpu())
        return torch.cat(parts)


def expected_rating(logps_BK: Tensor) -> Tensor:
    """(B,): the mean rating under the replies' probabilities, other replies left out."""
    return logps_BK.softmax(1) @ torch.tensor(RATINGS, dtype=logps_BK.dtype)


@dataclass
class Ratings:
    """What a judge on a server has said, kept in a file of the run.

    A server need not say the same twice, even at temperature 0; a run that was killed takes what it
    was told the first time. unwritten: while there is no run yet, which must stay free to fail.
    """

    file: Path | None = None
    known: dict[str, float] = field(default_factory=dict)
    unwritten: list[Json] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.file is not None:  # what any process of the run was told
            for file in sorted(self.file.parent.glob("ratings*.jsonl")):
                self.known |= {row["key"]: rating_of(row["reply"]) for row in read_log(file)}

    def keep(self, key: str, answer: str, reply: str) -> None:
        self.known[key] = rating_of(reply)
        self.unwritten.append({"key": key, "answer": answer, "reply": reply})
        if self.file is not None and (self.file.parent / SETTINGS).exists():
            for row in self.unwritten:
                append_jsonl(self.file, row)
            self.unwritten.clear()


@dataclass(frozen=True)
class ServerJudge:
    """A judge on a server; the same answer to the same prompt is rated once."""

    endpoint: Endpoint
    criteria: str
    ratings: Ratings = field(default_factory=Ratings)

    def scores(self, prompts: Sequence[Prompt], texts: Sequence[Sequence[str]]) -> Tensor:
        """(B,) on the CPU, nan where no rating could be read or none came in time."""
        asked = _flat(prompts, texts)
        keys = [self._key(prompt.text, text) for prompt, text in asked]
        known = self.ratings.known
        new = {key: one for key, one in zip(keys, asked, strict=True) if key not in known}
        requests = [
            Prompt(id=key, content=framed(self.criteria, prompt.text, text))
            for key, (prompt, text) in new.items()
        ]
        answered = ask_each(self.endpoint, requests, 1, REPLY)
        _check_any(answered)
        for (key, (_, text)), found in zip(new.items(), answered, strict=True):
            if not isinstance(found, NoAnswerError):
                self.ratings.keep(key, text, _reply(found[0]))
        return torch.tensor([known.get(key, math.nan) for key in keys])

    def _key(self, request: str, answer: str) -> str:
        return content_key(self.endpoint.name, self.criteria, request, answer)


def _reply(answer: Answer) -> str:
    """What was said; what was cut off before its end is no rating."""
    return answer.text if answer.finished else f"{answer.text} ..."


def _check_any(answered: Sequence[list[Answer] | NoAnswerError]) -> None:
    """A server that answers none of several requests answers no further ones either."""
    failed = [found for found in answered if isinstance(found, NoAnswerError)]
    if len(failed) == len(answered) > 1:
        raise failed[0]


def _flat(prompts: Sequence[Prompt], texts: Sequence[Sequence[str]]) -> list[tuple[Prompt, str]]:
    return [(p, text) for p, own in zip(prompts, texts, strict=True) for text in own]


def load_judge(
    name: JudgeName, device: torch.device, ratings: Path | None = None
) -> LocalJudge | ServerJudge:
    """The judge of this name; ratings: the file in which those of a server are kept."""
    criteria = name.criteria
    if is_endpoint(name.model):
        endpoint = Endpoint.named(name.model, attempts=ATTEMPTS, timeout=PATIENCE)
        return ServerJudge(endpoint, criteria, Ratings(ratings))
    model = load(name.model, device)
    model.model.requires_grad_(False)
    special = sorted(filter(str.strip, map(str, model.tokenizer.all_special_tokens)))
    return LocalJudge(model, criteria, model.encoder("skip"), tuple(special))
