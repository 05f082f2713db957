"""The report's words, from one catalogue file a language."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from suffrage.core import words
from suffrage.core.errors import SettingsError, nearest
from suffrage.core.records import Json
from suffrage.core.results import in_language
from suffrage.core.words import LANGUAGES


@dataclass(frozen=True)
class Words(words.Words):
    """One language's catalogue, and what only a report says."""

    def said(self, text: Json) -> Json:
        """A text of a result file in the page's language where it is given in several."""
        return in_language(text, self.lang)

    def join(self, parts: list[str]) -> str:
        """`a, b and c`, as the language writes it."""
        if len(parts) < 2:
            return "".join(parts)
        head = self.entries["list.comma"].join(parts[:-1])
        return f"{head}{self.entries['list.and']}{parts[-1]}"


def load_words(lang: str) -> Words:
    """The catalogue of `lang`; `SettingsError` when there is none."""
    if lang not in LANGUAGES:
        raise SettingsError(f"no report language {lang!r}; {nearest(lang, LANGUAGES)}")
    return Words(lang, _entries(lang))


@cache
def _entries(lang: str) -> dict[str, str]:
    text = (files("suffrage.report") / "strings" / f"{lang}.yaml").read_text(encoding="utf-8")
    return dict(_flat("", yaml.safe_load(text)))


def _flat(prefix: str, tree: dict[str, object]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in tree.items():
        pairs += _flat(f"{prefix}{key}.", value) if isinstance(value, dict) else []
        pairs += [(f"{prefix}{key}", value)] if isinstance(value, str) else []
    return pairs
