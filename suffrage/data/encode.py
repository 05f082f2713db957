"""From a group to token ids: the tokenizer's own chat template, an exact boundary, an end token.

The boundary between prompt and completion is the longest common token prefix of the prompt alone
and the prompt with the completion: tokenizers merge across the seam, so cutting by string length
would train on tokens the model never sees when it generates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from suffrage.core.errors import PromptError, SettingsError
from suffrage.core.records import Group, Prompt
from suffrage.data.conditioning import Condition

Overlong = Literal["refuse", "skip", "cut"]

# For models that have no chat template of their own; the layout of Anthropic's HH dialogues.
PLAIN_ROLES = {"system": "System", "user": "Human", "assistant": "Assistant", "tool": "Tool"}


@dataclass(frozen=True)
class Branch:
    """One completion's tokens after the trunk; the first `unscored` belong to the prompt.

    gaps: spans [start, end) further on that are read but not learned, such as a second request.
    """

    tokens: Sequence[int]
    unscored: int = 0
    gaps: tuple[tuple[int, int], ...] = ()

    @property
    def scored(self) -> list[int]:
        """The places of the tokens to learn, in order."""
        left_out = {place for start, end in self.gaps for place in range(start, end)}
        return [i for i in range(self.unscored, len(self.tokens)) if i not in left_out]


@dataclass(frozen=True)
class Tree:
    """A group as tokens: the prompt is the trunk, each completion a branch."""

    trunk: Sequence[int]
    branches: tuple[Branch, ...]

    @property
    def size(self) -> int:
        return len(self.trunk) + sum(len(branch.tokens) for branch in self.branches)

    @property
    def depth(self) -> int:
        """Tokens on the longest path: what must fit in the model's context."""
        return len(self.trunk) + max((len(b.tokens) for b in self.branches), default=0)

    @property
    def scored(self) -> int:
        return sum(len(branch.scored) for branch in self.branches)


@dataclass(frozen=True)
class Encoder:
    """Turns prompts and groups into tokens for one tokenizer.

    end_ids: every id that ends a completion; the first is appended where the template does not.
    context: the most tokens a path may have.
    overlong: refuse, skip or cut what is longer (`cut` keeps a prompt's end and a completion's
        start).
    condition: said at the end of every prompt, for a model that learned to answer after it.
    """

    tokenizer: PreTrainedTokenizerBase
    end_ids: tuple[int, ...]
    context: int
    overlong: Overlong = "refuse"
    condition: Condition | None = None
    chat: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "chat", self.tokenizer.chat_template is not None)

    def prompt(self, prompt: Prompt) -> list[int]:
        """The tokens the model is given before it answers; at least one."""
        asked = self._asked(prompt)
        text = str(asked.content) if self.plain(prompt) else self._render(asked, None)
        tokens = self._tokens(text)
        return not_empty(tokens if self.chat else self._strip_end(tokens, text), prompt)

    def tree(self, group: Group) -> Tree | None:
        """The group's tokens, or None when it is too long and `overlong` is skip."""
        alone = self.prompt(group.prompt)
        paths = [self.path(group.prompt, completion.text) for completion in group.completions]
        seams = [common_prefix(alone, path) for path in paths]
        trunk = len(not_empty(alone[: min(seams, default=None)], group.prompt))
        branches = tuple(
            Branch(path[trunk:], seam - trunk) for path, seam in zip(paths, seams, strict=True)
        )
        return self.fitted(Tree(alone[:trunk], branches), group.prompt)

    def fitted(self, tree: Tree, prompt: Prompt) -> Tree | None:
        """The tree as it fits in the context: by `overlong` refused, left out (None), or cut."""
        return tree if tree.depth <= self.context else self._fit(tree, prompt)

    @property
    def end(self) -> str:
        """The end token as the tokenizer reads it in a text."""
        return str(self.tokenizer.convert_ids_to_tokens(self.end_ids[0]))

    def plain(self, prompt: Prompt) -> bool:
        """Whether the prompt is a text to go on from, not a turn of a conversation."""
        return isinstance(prompt.content, str) and not self.chat

    def fits(self, prompt: Prompt, tokens: list[int], new_tokens: int) -> list[int] | None:
        """The prompt's tokens with room for `new_tokens` more, under the same policy."""
        room = self.context - new_tokens
        if room < 1:
            raise SettingsError(
                f"{new_tokens} new tokens leave no room for a prompt in a context of "
                f"{self.context}; ask for fewer."
            )
        if len(tokens) <= room:
            return tokens
        tree = self._fit(Tree(tokens, (Branch([0] * new_tokens),)), prompt)
        return None if tree is None else tokens[-room:]

    def text(
        self,
        prompt: Prompt,
        given: Sequence[int],
        answer: Sequence[int],
        stop: Sequence[str] = (),
    ) -> str:
        """The text of sampled tokens, as `tree` would read it back; end tokens left out.

        stop: strings before the first of which the text ends.
        """
        tokens = list(answer[:-1] if answer and answer[-1] in self.end_ids else answer)
        before = self._decode(given)
        whole = self._decode([*given, *tokens])
        # A tokenizer may write a token differently at the start of a text, so cut by the prompt.
        text = whole[len(before) :] if whole.startswith(before) else self._decode(tokens)
        text = text[: min((place for end in stop if (place := text.find(end)) >= 0), default=None)]
        return text if self.plain(prompt) else text.strip()

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))

    def _strip_end(self, tokens: list[int], text: str) -> list[int]:
        """Some tokenizers close every text with an end token; a prompt must stay open."""
        closed = len(tokens) > 1 and tokens[-1] in self.end_ids and text != ""
        return tokens[:-1] if closed else tokens

    def path(self, prompt: Prompt, completion: str) -> list[int]:
        """The tokens of the prompt with this answer, closed with one end token."""
        asked = self._asked(prompt)
        plain = self.plain(prompt)
        text = f"{asked.content}{completion}" if plain else self._render(asked, completion)
        return self._close(self._tokens(text))

    def _asked(self, prompt: Prompt) -> Prompt:
        return self.condition.of(prompt, self.plain(prompt)) if self.condition else prompt

    def _tokens(self, text: str) -> list[int]:
        # A chat template writes its own special tokens; plain text gets the tokenizer's.
        return list(self.tokenizer(text, add_special_tokens=not self.chat)["input_ids"])

    def _close(self, path: list[int]) -> list[int]:
        """End with exactly one end token; drop what a template writes after it."""
        for position in range(len(path) - 1, max(len(path) - 5, 0), -1):
            if path[position] in self.end_ids:
                if not str(self.tokenizer.decode(path[position + 1 :])).strip():
                    return path[: position + 1]
                break
        return [*path, self.end_ids[0]]

    def _render(self, prompt: Prompt, completion: str | None) -> str:
        turns = _messages(prompt)
        if completion is not None:
            turns.append({"role": "assistant", "content": completion})
        if not self.chat:
            return _plain_dialogue(turns, open_turn=completion is None)
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    turns, tokenize=False, add_generation_prompt=completion is None
                )
            )
        except TemplateError as error:
            raise PromptError(
                f"does not suit the model's chat template ({error}); change its turns or take it "
                "out.",
                prompt.id,
            ) from error

    def _fit(self, tree: Tree, prompt: Prompt) -> Tree | None:
        if self.overlong == "skip":
            return None
        if self.overlong == "refuse":
            alone = len(tree.trunk) >= self.context
            part = "the prompt alone takes" if alone else "prompt and answer take"
            raise PromptError(
                f"is too long: {part} {len(tree.trunk) if alone else tree.depth} tokens and the "
                f"limit is {self.context}; pass --overlong skip to leave such rows out, or "
                "--overlong cut.",
                prompt.id,
            )
        return _cut(tree, self.context)


def _cut(tree: Tree, context: int) -> Tree:
    """Keep the prompt's end and the completions' start, at least half the context for these."""
    longest = max((len(branch.tokens) for branch in tree.branches), default=0)
    keep = max(context - longest, context // 2)
    trunk = tree.trunk[-keep:]
    room = context - len(trunk)
    return Tree(trunk, tuple(replace(b, tokens=b.tokens[:room]) for b in tree.branches))


def not_empty(tokens: list[int], prompt: Prompt) -> list[int]:
    """The first token of an answer must be predicted from something."""
    if not tokens:
        raise PromptError(
            "is empty, or its only token melts into the answer; give it more text.", prompt.id
        )
    return tokens


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens the two begin with alike."""
    length = 0
    for left, right in zip(a, b, strict=False):
        if left != right:
            break
        length += 1
    return length


def _messages(prompt: Prompt) -> list[dict[str, str]]:
    if isinstance(prompt.content, str):
        return [{"role": "user", "content": prompt.content}]
    return [{"role": turn.role, "content": turn.content} for turn in prompt.content]


def _plain_dialogue(turns: list[dict[str, str]], open_turn: bool) -> str:
    text = "".join(f"\n\n{PLAIN_ROLES[turn['role']]}: {turn['content']}" for turn in turns)
    return text + ("\n\nAssistant:" if open_turn else "")
