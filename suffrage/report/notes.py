"""What an estimate's note says, in the page's language.

Statistics write their notes in English, for programs and terminals; a page in another language
puts each one it knows into its own words. A test holds the patterns to what is written.
"""

from __future__ import annotations

import re

from suffrage.core.results import Estimate
from suffrage.report.words import Words

_ALL = r"all (?P<n>\d+) prompts gave the same figure: "
_WILSON = "Wilson's interval, each prompt counted once"
_PATTERNS = {
    "same": re.compile(_ALL + _WILSON),
    "one": re.compile("one prompt only: " + _WILSON),
    "same_none": re.compile(_ALL + "no interval"),
    "one_none": re.compile("one prompt only: no interval"),
    "rest": re.compile("no such answer: at most what “(?P<stance>.+)” leaves"),
    "kind_only": re.compile(r"over the (?P<count>\d+) judgments by (?P<kind>\w+) only"),
    "alike": re.compile(r"(?P<n>\d+) (?P<unit>\w+) that all say the same: no interval"),
    "unmet": re.compile("no comparison"),
    "parts": re.compile(r"the items fall into (?P<n>\d+) parts that no comparison joins"),
    "apart": re.compile("scores of different parts cannot be compared"),
    "nothing": re.compile("there is nothing to count"),
    "unjudged": re.compile("no unit was judged by two raters"),
    "one_value": re.compile("only one value was ever given"),
    "not_twice": re.compile("no two raters judged the same"),
}


def note_of(estimate: Estimate, words: Words) -> str:
    """The note in the page's language, empty where there is none; unknown parts stay as written."""
    parts = (_said(part, words) for part in estimate.note.split("; ") if part)
    return words("list.semicolon").join(parts)


def _said(part: str, words: Words) -> str:
    for key, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(part):
            named = found.groupdict().items()
            values = {group: words.known(f"{group}.{name}", name) for group, name in named}
            return words(f"note.{key}", **values)
    return part
