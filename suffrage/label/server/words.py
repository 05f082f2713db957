"""The labelling page's words, from one catalogue: `words.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from suffrage.core import words
from suffrage.core.words import LANGUAGES


@dataclass(frozen=True)
class Words(words.Words):
    """One language of the catalogue."""

    @property
    def other(self) -> str:
        """The language a click changes to."""
        return "en" if self.lang == "zh" else "zh"


@cache
def load_words(lang: str) -> Words:
    """The words of `lang`, a key of `LANGUAGES`; `KeyError` for another."""
    LANGUAGES[lang]
    return Words(lang, {key: entry[lang] for key, entry in catalogue().items()})


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Every entry in every language: `{"work.submit": {"en": "Submit", "zh": "送出"}}`."""
    text = (files("suffrage.label.server") / "words.yaml").read_text(encoding="utf-8")
    return {
        f"{section}.{name}": entry
        for section, entries in yaml.safe_load(text).items()
        for name, entry in entries.items()
    }


def wanted_language(cookie: str | None, accepted: str) -> str:
    """The language of a page: the one chosen, else the browser's first that is known, else English.

    `accepted`: an Accept-Language header, such as `zh-TW,zh;q=0.9,en;q=0.8`.
    """
    if cookie in LANGUAGES:
        return cookie
    for part in accepted.split(","):
        name = part.split(";")[0].strip().lower().split("-")[0]
        if name in LANGUAGES:
            return name
    return "en"
