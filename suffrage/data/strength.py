"""By how much one completion of a pair is preferred to the other, from what raters said of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from suffrage.core.records import Group, SoftPair
from suffrage.stats.votes import last_words

LEVELS = 4  # of a judgment's strength, the least one included


def with_strength(
    group: Group, pairs: tuple[SoftPair, ...], weight: Callable[[str], float]
) -> tuple[SoftPair, ...]:
    """The pairs with the weighted mean strength of the votes for their `first`.

    The least strength of a vote is 0 and the greatest 1: on the scale of four that is 0, 1/3, 2/3
    and 1 (2307.09288, section 3.2.2). Pairs that nobody compared side by side, saying how strongly,
    keep None. Loses how far the raters differ in it. weight: how much a rater counts.
    """
    place = {completion.id: index for index, completion in enumerate(group.completions)}
    total: dict[tuple[int, int], float] = defaultdict(float)
    cast: dict[tuple[int, int], float] = defaultdict(float)
    for vote in last_words(group.judgments):
        if vote.kind == "pair" and vote.strength is not None and vote.value in ("a", "b"):
            a, b = (place[name] for name in vote.completions)
            sides = (a, b) if vote.value == "a" else (b, a)
            own = weight(vote.rater)
            total[sides] += own * (vote.strength - 1) / (LEVELS - 1)
            cast[sides] += own
    return tuple(
        pair.model_copy(update={"strength": total[sides] / cast[sides]}) if cast[sides] else pair
        for pair in pairs
        for sides in [(pair.first, pair.second)]
    )
