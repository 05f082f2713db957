"""The templates of one language, where what is the same on every page is worked out once.

A page of work holds some two hundred words of the catalogue. `t('key')` becomes text when a
template is compiled. A page asked for at every judgment is laid out once for all who get the same
but for a few texts of their own: its layout is the page cut at blanks, and a request fills them in.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from jinja2 import Environment, PackageLoader, StrictUndefined, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

from suffrage.label.server import texts
from suffrage.label.server.words import Words

SHORT = 200  # characters of a text that is worth keeping made safe
LAYOUTS = 64  # of a language, kept
_BLANK = "\x00"  # no page holds it otherwise: `texts.clean` shows control characters by name

Values = tuple[tuple[str, object], ...]
Layout = tuple[str, ...]  # text, the name of a blank, text, ...


class _Constant(NodeTransformer):
    """Calls of `t` with a key and nothing else, as the words they stand for."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        self.generic_visit(node)
        named = isinstance(node.node, nodes.Name) and node.node.name == "t"
        if not named or node.kwargs or len(node.args) != 1:
            return node
        key = node.args[0]
        return nodes.Const(self.words(key.value)) if isinstance(key, nodes.Const) else node


class OneLanguage(Environment):
    """Templates in these words."""

    def __init__(self, words: Words) -> None:
        super().__init__(
            loader=PackageLoader("suffrage.label.server"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_safe,
            auto_reload=False,
        )
        self.words = words
        self.kept = lru_cache(maxsize=LAYOUTS)(self.lay_out)

    def lay_out(self, template: str, values: Values) -> Layout:
        """The page with its blanks. `kept` does the same and remembers it."""
        return tuple(self.get_template(template).render(values).split(_BLANK))

    def macro(self, name: str, *about: object) -> Markup:
        """What a macro makes of this."""
        return Markup(getattr(self.get_template("macros.html").module, name)(*about))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        return cast(nodes.Template, _Constant(self.words).visit(tree))


def blank(name: str) -> Markup:
    """Stands in a layout for a text that `fill` puts there."""
    return Markup(f"{_BLANK}{name}{_BLANK}")


def fill(layout: Layout, own: Mapping[str, object]) -> str:
    """The page; what its blanks get is made safe as what templates print is."""
    safe = {name: escape(_safe(value)) for name, value in own.items()}
    parts = list(layout)
    parts[1::2] = [safe[name] for name in layout[1::2]]
    return "".join(parts)


def make_environment(words: Words) -> OneLanguage:
    """The templates with the words of one language; each string they print is made safe."""
    environment = OneLanguage(words)
    environment.globals.update(t=words, words=words)
    environment.filters["markdown"] = _markdown
    environment.globals["choice"] = lru_cache(maxsize=SHORT)(
        lambda *about: environment.macro("choice", *about)
    )
    environment.globals["once"] = lru_cache(
        lambda name: Markup(environment.get_template(name).render())
    )
    return environment


def _safe(value: object) -> object:
    """Every string the templates print passes here, so none can be forgotten."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return _short(value) if len(value) <= SHORT else texts.clean(value)


@lru_cache(maxsize=4096)
def _short(text: str) -> Markup:
    return escape(texts.clean(text))


@lru_cache(maxsize=8)
def _markdown(text: str) -> Markup:
    """The guidelines stand on every page of work."""
    return texts.markdown(texts.clean(text))
