"""Groups for the tests of training: soft votes, weights, two or three completions."""

from __future__ import annotations

from collections.abc import Iterator

import tiny

from suffrage.core.records import GRADES, Group, Judgment, Preference, SoftPair

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


def judged(count: int) -> list[Group]:
    """The same prompts and completions, with what three raters said: ratings, grades and votes."""
    return [
        group.model_copy(update={"preference": None, "judgments": tuple(_judgments(number, group))})
        for number, group in enumerate(groups(count))
    ]


def _judgments(number: int, group: Group) -> Iterator[Judgment]:
    """Ann rates helpfulness; Bob grades the first answer's honesty, Ann and Cid compare it."""
    names = [completion.id for completion in group.completions]

    def said(rater: str, kind: str, value: object, judged: list[str], criterion: str) -> Judgment:
        return Judgment(
            id=f"{rater}-{kind}-{judged[0]}",
            prompt_id=group.prompt.id,
            rater=rater,
            kind=kind,  # type: ignore[arg-type]
            value=value,  # type: ignore[arg-type]
            completions=tuple(judged),
            criterion=criterion,
        )

    for k, name in enumerate(names):
        yield said("Ann", "rating", 1 + (2 * number + 3 * k) % 7, [name], "helpful")
    yield said("Bob", "grade", GRADES[number % 4], names[:1], "honest")
    for rater, choices in (("Ann", ("a", "b", "tie")), ("Cid", ("b", "a"))):
        yield said(rater, "pair", choices[number % len(choices)], names[:2], "honest")
    if len(names) > 2:
        yield said("Cid", "pair", "b", names[1:], "honest")
