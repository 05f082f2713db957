"""Votes whose truth is known, so that every estimate can be scored against it.

A simulated rater sees the completions of a prompt in an order of their own and never learns which
model wrote them. What a rater really is stays in the population file, never in a judgment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Literal

from suffrage.core.errors import DataError, SettingsError
from suffrage.core.records import Completion, Group, Judgment, short_id
from suffrage.label.answers import Utility, Value, answer
from suffrage.label.behaviours import SimulatedRater, read_population, write_population

__all__ = [
    "SimulatedRater",
    "Utility",
    "read_population",
    "simulate_pairs",
    "simulate_rankings",
    "write_population",
]


def simulate_rankings(
    groups: Sequence[Group],
    raters: Sequence[SimulatedRater],
    utility: Utility,
    per_prompt: int,
    seed: int,
) -> list[Judgment]:
    """Rankings of all completions, by `per_prompt` raters for each prompt.

    Work is spread evenly. The same seed, rater and prompt give the same judgment whoever else
    rates. Identical texts are tied by raters who read.
    """
    done = Counter[str]()
    votes = []
    for group, rater in _assignments(groups, raters, per_prompt, seed):
        before = done[rater.name]
        votes.append(_vote("ranking", group, group.completions, rater, utility, seed, before))
        done[rater.name] += 1
    return votes


def simulate_pairs(
    groups: Sequence[Group],
    raters: Sequence[SimulatedRater],
    utility: Utility,
    per_prompt: int,
    seed: int,
) -> list[Judgment]:
    """As `simulate_rankings`, but each rater compares two completions of the group.

    The larger the gap between their scores, the greater the `strength`, 1 to 4.
    """
    done = Counter[str]()
    votes = []
    for group, rater in _assignments(groups, raters, per_prompt, seed):
        chosen = sorted(_rng(seed, rater, group, "two").sample(range(len(group.completions)), 2))
        judged = [group.completions[index] for index in chosen]
        votes.append(_vote("pair", group, judged, rater, utility, seed, done[rater.name]))
        done[rater.name] += 1
    return votes


def _assignments(
    groups: Sequence[Group], raters: Sequence[SimulatedRater], per_prompt: int, seed: int
) -> list[tuple[Group, SimulatedRater]]:
    """Always the least busy raters, chance deciding among equals."""
    _check(groups, raters, per_prompt)
    rng = Random(f"assign/{seed}")
    load = dict.fromkeys((rater.name for rater in raters), 0)
    pairs = []
    for group in groups:
        order = sorted(raters, key=lambda rater: (load[rater.name], rng.random()))
        for rater in order[:per_prompt]:
            load[rater.name] += 1
            pairs.append((group, rater))
    return pairs


def _check(groups: Sequence[Group], raters: Sequence[SimulatedRater], per_prompt: int) -> None:
    if not 1 <= per_prompt <= len(raters):
        raise SettingsError(
            f"{per_prompt} raters a prompt were asked for, found {len(raters)} raters; "
            f"choose between 1 and {len(raters)}."
        )
    if len({rater.name for rater in raters}) < len(raters):
        raise SettingsError("two simulated raters have the same name; rename one.")
    for group in groups:
        if len(group.completions) < 2:
            raise DataError(
                f"prompt {group.prompt.id!r} has {len(group.completions)} completions and raters "
                "compare at least 2; generate more."
            )


def _rng(seed: int, rater: SimulatedRater, group: Group, purpose: str) -> Random:
    return Random("\x1f".join((purpose, str(seed), rater.name, group.prompt.id)))


def _vote(
    kind: Literal["ranking", "pair"],
    group: Group,
    judged: Sequence[Completion],
    rater: SimulatedRater,
    utility: Utility,
    seed: int,
    done: int,
) -> Judgment:
    rng = _rng(seed, rater, group, kind)
    shown = rng.sample(list(judged), len(judged))
    made = answer(kind, group, shown, rater, utility, rng, done)
    ids = tuple(completion.id for completion in judged)
    return Judgment(
        id=short_id(kind, str(seed), rater.name, group.prompt.id, *ids),
        prompt_id=group.prompt.id,
        rater=rater.name,
        rater_kind="simulated",
        kind=kind,
        completions=ids,
        shown=tuple(completion.id for completion in shown),
        value=_as_of(ids, shown, made.value),
        strength=made.strength,
        seconds=made.seconds,
    )


def _as_of(ids: tuple[str, ...], shown: Sequence[Completion], value: Value) -> Value:
    """A choice of a pair names the completion as `completions` has them, not as they are shown."""
    turned = shown[0].id != ids[0]
    return {"a": "b", "b": "a"}.get(value, value) if turned and isinstance(value, str) else value
