"""The catalogue: complete, in two languages, with the same places."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from suffrage.label.server.kinds import KINDS
from suffrage.label.server.votes import NOTES, SKIPS
from suffrage.label.server.words import LANGUAGES, catalogue, load_words, wanted_language


def test_every_entry_has_every_language_and_the_same_places() -> None:
    for key, entry in catalogue().items():
        assert set(entry) == set(LANGUAGES), key
        places = {tuple(sorted(re.findall(r"{(\w+)}", text))) for text in entry.values()}
        assert len(places) == 1, key
        assert all(isinstance(text, str) and text.strip() for text in entry.values()), key


def test_every_word_that_a_template_or_module_names_exists() -> None:
    named = set()
    folder = files("suffrage.label.server")
    for path in sorted(folder.rglob("*.html")) + sorted(folder.rglob("*.py")):  # type: ignore[attr-defined]
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r"""\b(?:t|words)\(['"]([a-z]+\.\w+)['"]\s*[,)]""", text))
    assert len(named) > 90
    assert named - set(catalogue()) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_words(kind: str) -> None:
    names = {f"{kind}.question", f"{kind}.by", f"{kind}.missing", f"help.{kind}"}
    assert names - {"help.demonstration"} <= set(catalogue())


def test_what_the_page_may_be_told_to_say_exists() -> None:
    keys = {f"work.{note}" for note in NOTES} | {f"skip.{why}" for why in SKIPS}
    keys |= {f"error.{status}" for status in (400, 401, 403, 404, 405, 409, 410, 413, 415, 422)}
    assert keys <= set(catalogue())


def test_places_in_values_are_not_filled_again() -> None:
    assert load_words("en")("account.name", name="{token}") == "You take part as {token}."


@pytest.mark.parametrize(
    ("cookie", "accepted", "wanted"),
    [
        (None, "zh-TW,zh;q=0.9,en;q=0.8", "zh"),
        (None, "de-DE, en;q=0.5", "en"),
        (None, "fr", "en"),
        (None, "", "en"),
        ("en", "zh-TW", "en"),
        ("tlh", "zh", "zh"),
    ],
)
def test_language_is_the_one_chosen_else_the_browsers(
    cookie: str | None, accepted: str, wanted: str
) -> None:
    assert wanted_language(cookie, accepted) == wanted
