"""The page's own words in each language, from one catalogue: `words.yaml`.

Texts to be judged stay in whatever language they are; only the interface is translated. A missing
key is a bug and raises `KeyError`; a test holds every entry complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

LANGUAGES = {"en": "en", "zh": "zh-Hant"}  # catalogue -> the page's lang attribute


@dataclass(frozen=True)
class Words:
    """One language of the catalogue."""

    lang: str
    entries: dict[str, str]

    @property
    def html_lang(self) -> str:
        return LANGUAGES[self.lang]

    @property
    def other(self) -> str:
        """The language a click changes to."""
        return "en" if self.lang == "zh" else "zh"

    def __call__(self, key: str, **values: object) -> str:
        """The entry with `{name}` places filled; values are never read as templates."""
        return self.entries[key].format(**values)

    def known(self, key: str, otherwise: str) -> str:
        """The entry, or `otherwise` for a name the catalogue does not hold."""
        return self.entries.get(key, otherwise)


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
