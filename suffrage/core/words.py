"""A page's own words in one language: what the report and the labelling page share.

Content (prompts, answers, names) stays in whatever language it is; only the interface is
translated. A missing key is a bug and raises `KeyError`; tests hold the catalogues complete.
"""

from __future__ import annotations

from dataclasses import dataclass

LANGUAGES = {"en": "en", "zh": "zh-Hant"}  # catalogue -> the page's lang attribute


@dataclass(frozen=True)
class Words:
    """One language of a catalogue."""

    lang: str
    entries: dict[str, str]

    @property
    def html_lang(self) -> str:
        return LANGUAGES[self.lang]

    def __call__(self, key: str, **values: object) -> str:
        """The entry with `{name}` places filled; values are never read as templates."""
        return self.entries[key].format(**values)

    def known(self, key: str, otherwise: str) -> str:
        """The entry, or `otherwise` for a name the catalogue does not hold."""
        return self.entries.get(key, otherwise)
