"""The data: how much there is of what, and two examples as the raters saw them."""

from __future__ import annotations

from collections import Counter

from suffrage.core.records import Completion, Group, Judgment
from suffrage.report.collect.votes import mean_place, votes
from suffrage.report.inputs import Inputs
from suffrage.report.reading import GroupFile
from suffrage.report.text import shorten, unique_names
from suffrage.report.words import Words

EXAMPLES = 2
_SHOWN = 8  # completions of one example
_EXAMPLE_LENGTH = 700

Key = tuple[str, str]  # prompt and id: one statement, in however many files it stands


def collect(inputs: Inputs, words: Words) -> dict[str, object] | None:
    """A row a group file and two examples from the one with most judgments."""
    files = [file for file in inputs.groups if file.groups]
    if not files:
        return None
    names = unique_names([file.path.resolve() for file in files])
    fullest = max(files, key=lambda file: sum(len(group.judgments) for group in file.groups))
    counted: set[Key] = set()
    corrected = _corrected(files)
    rows = [
        {"name": names[file.path.resolve()], **_counts(file, counted, corrected, words)}
        for file in files
    ]
    return {
        "files": rows,
        "repeated": any(row["again"] for row in rows),
        "examples": [_example(group, words) for group in _examples(fullest)],
    }


def _counts(
    file: GroupFile, counted: set[Key], corrected: set[Key], words: Words
) -> dict[str, object]:
    """What the file holds; its judgments without those `counted` in a file before, now added."""
    held = {_key(vote): vote for group in file.groups for vote in group.judgments}
    new = held.keys() - counted
    judgments = [held[key] for key in new - corrected]
    counted.update(new)
    kinds = Counter(vote.kind for vote in judgments)
    return {
        "prompts": len(file.groups),
        "completions": sum(len(group.completions) for group in file.groups),
        "judgments": len(judgments),
        "again": len(held) - len(new),
        "corrected": len(new) - len(judgments),
        "kinds": [(words.known(f"kind.{kind}", kind), kinds[kind]) for kind in sorted(kinds)],
        "raters": len({vote.rater for vote in held.values()}),
        "pairs": sum(len(group.preference.pairs) for group in file.groups if group.preference),
    }


def _key(vote: Judgment) -> Key:
    return vote.prompt_id, vote.id


def _corrected(files: list[GroupFile]) -> set[Key]:
    """The judgments that a later one corrects, in whichever file that stands."""
    votes = [vote for file in files for group in file.groups for vote in group.judgments]
    return {(vote.prompt_id, vote.supersedes) for vote in votes if vote.supersedes}


def _examples(file: GroupFile) -> list[Group]:
    """The first groups that were judged, else those with completions, else any."""
    judged = [group for group in file.groups if group.judgments]
    answered = [group for group in file.groups if group.completions]
    return (judged or answered or list(file.groups))[:EXAMPLES]


def _example(group: Group, words: Words) -> dict[str, object]:
    last = float("inf")

    def place(completion: Completion) -> float:
        found = mean_place(group, completion.id)
        return last if found is None else found

    ordered = sorted(group.completions, key=place)  # stable: unranked ones keep their order
    return {
        "prompt": shorten(group.prompt.text, _EXAMPLE_LENGTH),
        "completions": [
            {
                "text": shorten(completion.text, _EXAMPLE_LENGTH),
                "votes": votes(group, completion.id, words),
            }
            for completion in ordered[:_SHOWN]
        ],
        "more": max(len(ordered) - _SHOWN, 0),
    }
