"""Groups for the tests of training: soft votes, weights, two or three completions."""

from __future__ import annotations

import tiny

from suffrage.core.records import Group, Preference, SoftPair

# Ranked answers, a soft pair among them; the answers share no word with each other.
ANSWERS = ("the sea in the", "ab abab", "singing", "中文", "good thing", "no")


def groups(count: int) -> list[Group]:
    """Prompts with two or three completions, compared by soft and weighted votes."""
    made = []
    for i in range(count):
        texts = [f"{ANSWERS[(i + k) % 6]} {i}" for k in range(2 + i % 2)]
        pairs = [SoftPair(first=0, second=1, probability=1 - i % 3 / 5, weight=1 + i % 2)]
        if len(texts) == 3:
            pairs += [SoftPair(first=0, second=2, probability=0.75), SoftPair(first=2, second=1)]
        preference = Preference(pairs=tuple(pairs))
        made.append(tiny.group(f"p{i}", f"question {i * 37}? ", texts, preference))
    return made
