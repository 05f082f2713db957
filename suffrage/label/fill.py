"""Simulated raters at work in a project: they take what the queue gives them, like people."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from suffrage.core.records import Group
from suffrage.label.answers import Utility, answer
from suffrage.label.behaviours import SimulatedRater
from suffrage.label.queue import Work, next_work
from suffrage.label.store.database import Store
from suffrage.label.store.judgments import Vote, skip, submit
from suffrage.label.store.raters import add_rater


def fill(
    store: Store, raters: Sequence[SimulatedRater], utility: Utility, seed: int, most: int = 1 << 62
) -> int:
    """Let every rater vote in turn until nothing is left for them, or there are `most` votes.

    Returns how many votes were given. What a rater says of an item depends on the seed, their name
    and the item alone (and, of those who tire, on how much they did before).
    """
    own = {rater.name: add_rater(store, rater.name, "simulated").id for rater in raters}
    waiting, votes = list(raters), 0
    while waiting and votes < most:
        for rater in list(waiting):
            work = next_work(store, own[rater.name])
            if not isinstance(work, Work):
                waiting.remove(rater)
            elif votes < most:
                votes += _vote(store, own[rater.name], rater, work, utility, seed)
    return votes


def _vote(
    store: Store, rater_id: str, rater: SimulatedRater, work: Work, utility: Utility, seed: int
) -> bool:
    """Answer the work; False where the rater could only skip it."""
    if work.kind == "demonstration":
        skip(store, rater_id, work.assignment, "simulated raters write nothing of their own")
        return False
    rng = Random("\x1f".join((str(seed), rater.name, str(work.task_id))))
    group = Group(prompt=work.prompt, completions=work.completions)
    made = answer(work.kind, group, work.completions, rater, utility, rng, work.done)
    client = f"simulated-{work.assignment}"
    vote = Vote(work.assignment, client, made.value, made.strength, "", made.seconds)
    submit(store, rater_id, vote)
    return True
