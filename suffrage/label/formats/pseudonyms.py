"""Groups in which nobody is named: raters become rater-1, rater-2, ..."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from suffrage.core.records import Completion, Group, Json, Judgment, Preference, short_id

PERSON = "person:"


def with_pseudonyms(groups: Sequence[Group], seed: int) -> list[Group]:
    """The groups with a pseudonym for each rater, the same in all groups, another with each seed.

    Names go from judgments and the raters' weights, from the sources of completions that people
    wrote, and from the values of `meta` and `settings` that are a name. Ids of judgments and of
    people's completions are made anew, as they may hold a name or be made from one. What people
    wrote stays as it is.
    """
    known = _pseudonyms(groups, seed)
    return [_renamed(group, known) for group in groups]


def _pseudonyms(groups: Sequence[Group], seed: int) -> dict[str, str]:
    """In an order nobody can tell from the names: that of their hashes with the seed."""
    names = {judgment.rater for group in groups for judgment in group.judgments}
    sources = (one.source for group in groups for one in group.completions)
    names |= {source.removeprefix(PERSON) for source in sources if source.startswith(PERSON)}
    names.update(*(group.preference.raters for group in groups if group.preference))
    by_hash = sorted(names, key=lambda name: hashlib.sha256(f"{seed}\x1f{name}".encode()).digest())
    return {name: f"rater-{place}" for place, name in enumerate(by_hash, 1)}


def _renamed(group: Group, known: Mapping[str, str]) -> Group:
    completions = {one.id: _completion(one, known) for one in group.completions}
    taken: set[str] = set()
    for name, one in completions.items():
        if one.id in taken:
            free = next(f"{one.id}-{k}" for k in count(2) if f"{one.id}-{k}" not in taken)
            completions[name] = one.model_copy(update={"id": free})
        taken.add(completions[name].id)
    ids = {name: one.id for name, one in completions.items()}
    numbers = {_key(one): f"{group.prompt.id}-j{k}" for k, one in enumerate(group.judgments, 1)}
    prompt = group.prompt.model_copy(update={"meta": _without(group.prompt.meta, known)})
    return group.model_copy(
        update={
            "prompt": prompt,
            "completions": tuple(completions.values()),
            "judgments": tuple(_judgment(one, known, ids, numbers) for one in group.judgments),
            "preference": group.preference and _preference(group.preference, known),
        }
    )


def _preference(one: Preference, known: Mapping[str, str]) -> Preference:
    raters = {known[name]: weight for name, weight in one.raters.items()}
    return one.model_copy(update={"raters": raters})


def _completion(one: Completion, known: Mapping[str, str]) -> Completion:
    update: dict[str, Any] = {"settings": _without(one.settings, known)}
    if one.source.startswith(PERSON):
        name = known[one.source.removeprefix(PERSON)]
        update["source"] = PERSON + name
        # as `with_demonstrations` makes it, so that it still knows the rater's own answer
        update["id"] = short_id(one.prompt_id, "demonstration", name, one.text)
    return one.model_copy(update=update)


def _key(judgment: Judgment) -> tuple[str, str]:
    return judgment.rater, judgment.id


def _judgment(
    one: Judgment,
    known: Mapping[str, str],
    ids: Mapping[str, str],
    numbers: Mapping[tuple[str, str], str],
) -> Judgment:
    value = one.value
    if isinstance(value, tuple):
        value = tuple(tuple(ids[name] for name in tied) for tied in value)
    earlier = numbers.get((one.rater, one.supersedes)) if one.supersedes else None
    return one.model_copy(
        update={
            "id": numbers[_key(one)],
            "rater": known[one.rater],
            "value": value,
            "completions": tuple(ids[name] for name in one.completions),
            "shown": tuple(ids[name] for name in one.shown),
            "supersedes": earlier,
        }
    )


def _without(value: Json, known: Mapping[str, str]) -> Json:
    """The value with each text that is a rater's name, or "person:" and a name, renamed."""
    if isinstance(value, dict):
        return {_without(name, known): _without(inner, known) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without(inner, known) for inner in value]
    if not isinstance(value, str):
        return value
    if value.startswith(PERSON) and value.removeprefix(PERSON) in known:
        return PERSON + known[value.removeprefix(PERSON)]
    return known.get(value, value)
