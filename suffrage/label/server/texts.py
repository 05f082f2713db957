"""Untrusted texts made safe to show: unsafe characters by name, Markdown without its dangers.

Escaping is Jinja's and markdown-it's work. A prompt or an answer may hold control characters,
direction overrides that reorder the page around them, links that would tell a stranger who is
reading, pictures that would do so without a click, or a megabyte of one word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape

from suffrage.core.records import Completion, Prompt

LONGEST_FORMATTED = 10_000  # characters; a longer text is shown plain, so no parser is kept busy
DEEPEST = 60  # nested quotes or lists on one line; more is an attack, not a text

# C0 and C1 controls but tab and newline, direction marks and overrides, lone surrogates, invisible
# tags, and code points that are not characters: none may reach the page as they are.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
# A flag such as Scotland's is a black flag spelt in tags; only there do tags belong.
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,6}\U000e007f")


def clean(text: str) -> str:
    """The text with every unsafe code point replaced by its visible name, e.g. `⟨U+202E⟩`."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    parts, end = [], 0
    for flag in _FLAG.finditer(lines):
        parts += [_named(lines[end : flag.start()]), flag.group()]
        end = flag.end()
    return "".join([*parts, _named(lines[end:])])


def _named(text: str) -> str:
    return _UNSAFE.sub(lambda found: f"⟨U+{ord(found.group()):04X}⟩", text)


@dataclass(frozen=True)
class Shown:
    """A text as the page shows it; `formatted` is None where it would look the same."""

    plain: str
    formatted: Markup | None

    @property
    def length(self) -> int:
        return len(self.plain)


@dataclass(frozen=True)
class Turn:
    """One message of a conversation."""

    role: str
    text: Shown


def shown(text: str, image: str) -> Shown:
    """`image`: what stands for a picture, with `{alt}` in it."""
    plain = clean(text)
    return Shown(plain, None if _is_plain(plain) else markdown(plain, image))


def turns(prompt: Prompt, image: str) -> list[Turn]:
    """The prompt's messages; a plain prompt is one message of the user."""
    if isinstance(prompt.content, str):
        return [Turn("user", shown(prompt.content, image))]
    return [Turn(turn.role, shown(turn.content, image)) for turn in prompt.content]


def answers(completions: Sequence[Completion], image: str) -> list[Shown]:
    """Only the texts: who wrote them stays on the server."""
    return [shown(completion.text, image) for completion in completions]


_MARKUP = re.compile(r"[*_`#\[\]|~<>\\&!]|^\s*([-+]|\d+[.)])\s|^ {4}|^\t|^\s*(-{3,}|={3,})", re.M)
_NESTED = re.compile(rf"^(?:[ \t]*(?:>|[-+*]|\d+[.)])(?=[ \t>]|$)){{{DEEPEST},}}", re.M)


def _is_plain(text: str) -> bool:
    if len(text) > LONGEST_FORMATTED or _NESTED.search(text):
        return True
    return _MARKUP.search(text) is None


def markdown(text: str, image: str = "{alt}") -> Markup:
    """CommonMark with tables and strikethrough; no HTML, no live link, no picture is loaded."""
    rendered = _PARSER.render(text, {"image": image})  # html=False escapes everything else
    return Markup(clean(rendered))  # `&#x202e;` has become what it stands for


def _link_open(
    self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType
) -> str:
    return '<span class="link">'


def _link_close(
    self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType
) -> str:
    """The address stands after the words, so that neither can pass for the other."""
    opening = next(
        t for t in reversed(tokens[:at]) if t.type == "link_open" and t.level == tokens[at].level
    )
    address = str(opening.attrs.get("href", ""))
    return f'</span> <span class="address" dir="ltr">({escape(address)})</span>'


def _image(
    self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType
) -> str:
    words = str(env["image"]).format(alt=tokens[at].content or "…")
    return f'<span class="image">{escape(words)}</span>'


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True})
    parser.enable(["table", "strikethrough"])
    parser.add_render_rule("link_open", _link_open)
    parser.add_render_rule("link_close", _link_close)
    parser.add_render_rule("image", _image)
    for tag in ("paragraph_open", "heading_open", "list_item_open", "blockquote_open", "td_open"):
        parser.add_render_rule(tag, _with_direction)
    return parser


def _with_direction(
    self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType
) -> str:
    """Each block finds its own direction, as a plain text does with `dir=auto`."""
    token = tokens[at]
    if token.type == "heading_open":  # the page has its own h1 and h2
        token.tag = tokens[at + 2].tag = f"h{min(6, int(token.tag[1]) + 2)}"
    token.attrSet("dir", "auto")
    return self.renderToken(tokens, at, options, env)


_PARSER = _parser()
