"""The templates of one language, where what is the same on every page is worked out once.

A page of work holds some two hundred words of the catalogue. `t('key')` becomes text when a
template is compiled, so that a request only fills in what is its own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import cast

from jinja2 import Environment, PackageLoader, StrictUndefined, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

from suffrage.label.server import texts
from suffrage.label.server.words import Words

SHORT = 200  # characters of a text that is worth keeping made safe


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


class _OneLanguage(Environment):
    words: Words

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        return cast(nodes.Template, _Constant(self.words).visit(tree))


def make_environment(words: Words) -> Environment:
    """The templates with the words of one language; each string they print is made safe."""
    environment = _OneLanguage(
        loader=PackageLoader("suffrage.label.server"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_safe,
        auto_reload=False,
    )
    environment.words = words
    environment.filters["markdown"] = _markdown
    environment.globals["choice"] = lru_cache(maxsize=SHORT)(
        lambda *about: environment.get_template("macros.html").module.choice(*about)  # type: ignore[attr-defined]
    )
    environment.globals["once"] = lru_cache(
        lambda name: Markup(environment.get_template(name).render(t=words))
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
