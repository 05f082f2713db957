"""Chains as tokens: answers one after another in a sequence, each after what is said of it.

Every answer is scored with its end token, so that a model asked for one answer stops after it;
what stands between two answers is read and not learned. In a conversation the second phrase is the
user's next turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from suffrage.core.records import Group, Message, Prompt
from suffrage.data.conditioning import Chain, turns, with_phrase
from suffrage.data.encode import Branch, Encoder, Tree, common_prefix, not_empty


@dataclass(frozen=True)
class _Path:
    """A sequence from its first token, and the spans [start, end) of its answers."""

    tokens: list[int]
    answers: list[tuple[int, int]]

    @property
    def asked(self) -> list[int]:
        return self.tokens[: self.answers[0][0]]

    def after(self, trunk: int) -> Branch:
        """The branch that goes on from the first `trunk` tokens."""
        spans = [(start - trunk, end - trunk) for start, end in self.answers]
        ends, starts = [end for _, end in spans[:-1]], [start for start, _ in spans[1:]]
        return Branch(self.tokens[trunk:], spans[0][0], tuple(zip(ends, starts, strict=True)))


def chain_tree(encoder: Encoder, group: Group, chains: Sequence[Chain]) -> Tree | None:
    """A branch for each chain of the group's completions; the trunk is what all begin with.

    None where it is too long and `overlong` is skip. The encoder's own condition is not said.
    """
    bare = replace(encoder, condition=None)
    paths = [_path(bare, group, chain) for chain in chains]
    shared = [common_prefix(paths[0].asked, path.asked) for path in paths]
    trunk = not_empty(paths[0].tokens[: min(shared)], group.prompt)
    tree = Tree(trunk, tuple(path.after(len(trunk)) for path in paths))
    return bare.fitted(tree, group.prompt)


def _path(encoder: Encoder, group: Group, chain: Chain) -> _Path:
    asked: list[tuple[Prompt, str]] = []
    for told in chain:
        before = _going_on(encoder, *asked[-1]) if asked else group.prompt
        phrase = told.condition.phrase(group.prompt)
        prompt = with_phrase(before, phrase, encoder.plain(before))
        asked.append((prompt, group.completions[told.completion].text))
    whole, answers = encoder.path(*asked[-1]), []
    for prompt, text in asked:
        alone = encoder.path(prompt, text)
        start, end = common_prefix(encoder.prompt(prompt), whole), common_prefix(alone, whole)
        answers.append((start, end, alone[end:]))
    return _closed(whole, answers)


def _closed(whole: list[int], answers: list[tuple[int, int, list[int]]]) -> _Path:
    """The path with an end token where the template writes none within a conversation.

    answers: where each begins and ends in `whole`, and its tokens alone that are not there.
    """
    tokens, spans, taken = list[int](), list[tuple[int, int]](), 0
    for start, end, missing in answers:
        added = len(tokens) - taken
        tokens += [*whole[taken:end], *(missing if len(missing) == 1 else ())]
        spans.append((start + added, len(tokens)))
        taken = end
    return _Path([*tokens, *whole[taken:]], spans)


def _going_on(encoder: Encoder, prompt: Prompt, answer: str) -> Prompt:
    """The prompt and its answer as the beginning of another prompt."""
    closed = answer if encoder.chat else answer + encoder.end  # a template writes the end itself
    if encoder.plain(prompt):
        return prompt.model_copy(update={"content": f"{prompt.content}{closed}"})
    said = Message(role="assistant", content=closed)
    return prompt.model_copy(update={"content": (*turns(prompt), said)})
