"""Groups made of real text, for each view of a group that a method can learn from.

`by_people` is data as people left it. `by_rule` has votes that follow a rule which can be heard in
a few words, for what shall hold on other prompts: people's own votes on free text are too noisy for
a small model to carry over.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import tiny

from suffrage.core.records import Completion, Group, Judgment, Preference, Prompt, SoftPair
from suffrage.data.read import read_groups
from suffrage.objectives.objective import Objective, View

Real = Callable[[str], Path]


def lines(path: Path) -> Iterator[Any]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def rated(name: str, prompt: str, texts: list[str], ratings: dict[str, tuple[int, ...]]) -> Group:
    """Every rater's rating, 1 to 7, of each completion."""
    completions = tuple(
        Completion(id=f"{name}-{i}", prompt_id=name, text=text) for i, text in enumerate(texts)
    )
    judgments = tuple(
        Judgment(
            id=f"{name}-{rater}-{i}",
            prompt_id=name,
            rater=rater,
            kind="rating",
            value=value,
            completions=(f"{name}-{i}",),
        )
        for rater, values in ratings.items()
        for i, value in enumerate(values)
    )
    found = Prompt(id=name, content=prompt)
    return Group(prompt=found, completions=completions, judgments=judgments)


# --------------------------------------------------------------------------- by people

FILES: dict[View, str] = {
    "demonstrations": "alpaca_zh.json.gz",
    "pairs": "hh_harmless_dialogues.jsonl.gz",
    "labels": "messages_kto_en.json.gz",
    "rankings": "fine_grained_qa_groups.jsonl.gz",
    "ratings": "xstest_labels.jsonl.gz",
    "votes": "xstest_labels.jsonl.gz",
    "comparisons": "hh_harmless_dialogues.jsonl.gz",
    "classes": "messages_kto_en.json.gz",
}
COMPLIANCE = {"1_full_compliance": 7, "3_partial_refusal": 4, "2_full_refusal": 1}


def by_people(row: Objective, real_path: Real) -> list[Group]:
    """Four groups whose completions differ early, so that a short context tells them apart."""
    if row.view not in FILES:
        pytest.fail(f"{row.name} reads {row.view}: name real data of that view in FILES")
    path = real_path("data/" + FILES[row.view])
    groups = xstest(path) if "xstest" in path.name else read_groups(str(path), data_size=60)[0]
    apart = [group for group in groups if _differ(group)]
    if row.view in ("labels", "classes"):  # where all are good, nothing tells one from another
        good, bad = ([g for g in apart if _labels(g) == (kind,)] for kind in (True, False))
        apart = [*good[:2], *bad[:2]]
    assert len(apart) >= 4
    return apart[:4]


def xstest(path: Path) -> list[Group]:
    """Models' answers to a prompt, and how far each of two people found that one complied.

    Of the answers on which they agree, the first of each degree: no vote is a tie.
    """
    answers: dict[str, dict[int, str]] = {}
    for row in lines(path):
        one, two = (COMPLIANCE[row[f"annotation_{k}"]] for k in (1, 2))
        if one == two:
            answers.setdefault(row["prompt"], {}).setdefault(one, row["completion"])
    return [
        rated(f"x{number}", prompt, [*texts.values()], dict.fromkeys(("1", "2"), tuple(texts)))
        for number, (prompt, texts) in enumerate(answers.items())
        if len(texts) > 1
    ]


def _labels(group: Group) -> tuple[bool | None, ...] | None:
    return group.preference.labels if group.preference else None


def _differ(group: Group) -> bool:
    """Whether no two completions begin alike, and no vote is split."""
    starts = {completion.text[:20] for completion in group.completions}
    votes = group.preference.pairs if group.preference else ()
    return len(starts) == len(group.completions) and all(p.probability != 0.5 for p in votes)


# --------------------------------------------------------------------------- by rule

PROMPTS, CHARACTERS = 64, 48
BY_RULE: dict[View, Callable[[int], tuple[tuple[int, ...], Preference | None]]] = {
    "demonstrations": lambda i: ((0,), Preference(demonstrations=(0,))),
    "pairs": lambda i: ((0, 2), Preference(pairs=(SoftPair(first=0, second=1),))),
    "labels": lambda i: ((2 * (i % 2),), Preference(labels=(i % 2 == 0,))),
    "rankings": lambda i: ((0, 1, 2), Preference(ranks=(1, 2, 3))),
    "ratings": lambda i: ((0, 1, 2), None),
    "votes": lambda i: ((0, 1, 2), None),
    "comparisons": lambda i: ((0, 2), Preference(pairs=(SoftPair(first=0, second=1),))),
    "classes": lambda i: ((2 * (i % 2),), Preference(labels=(i % 2 == 0,))),
}
RATINGS = {"one": (7, 4, 1), "two": (6, 4, 2)}


def by_rule(row: Objective, real_path: Real) -> list[Group]:
    """Behind openings of stories: Shakespeare is best, then Chinese advice, then the stories.

    Of these the model starts out preferring stories: it was made of them.
    """
    if row.view not in BY_RULE:
        pytest.fail(f"{row.name} reads {row.view}: say in BY_RULE how the rule is given")
    openings = lines(real_path("data/tinystories_prompts.jsonl.gz"))
    prompts = list(dict.fromkeys(line["prompt"] for line in openings))
    made = []
    for i, prompt, texts in zip(range(PROMPTS), prompts, _texts(real_path), strict=False):
        used, preference = BY_RULE[row.view](i)
        own = [texts[k] for k in used]
        made.append(
            rated(f"p{i}", prompt, own, RATINGS)
            if preference is None
            else tiny.group(f"p{i}", prompt, own, preference)
        )
    return made


def _texts(real_path: Real) -> list[list[str]]:
    """For each prompt a text of each kind, the best first."""
    plays = gzip.decompress(real_path("data/tinyshakespeare.txt.gz").read_bytes()).decode()
    stories = gzip.decompress(real_path("data/tinystories_val.txt.gz").read_bytes()).decode()
    chinese = json.loads(gzip.decompress(real_path("data/alpaca_zh.json.gz").read_bytes()))
    kinds = (
        (part.split(":\n", 1)[-1] for part in plays.split("\n\n")),
        (row["output"][: CHARACTERS // 4] for row in chinese),  # each is three tokens
        stories.split("\n\n"),
    )
    long = [(t.replace("\n", " ") for t in kind if len(t) >= CHARACTERS // 4) for kind in kinds]
    found = zip(*long, strict=False)
    return [[" " + text[:CHARACTERS] for text in three] for three in islice(found, PROMPTS)]
