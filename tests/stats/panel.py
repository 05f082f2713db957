"""A small panel of raters whose truth is known, written apart from the package's own simulator."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from suffrage.core.records import Judgment

# Gumbel noise over completions one unit apart draws a Plackett-Luce ranking: a lead of d wins with
# probability 1 / (1 + exp(-d / noise)). Over the six pairs of four completions (leads 1 three
# times, 2 twice, 3 once) that is right in 95 % of pairs at noise .43 and in 80 % at 1.13.
SHARPEST, BLUNTEST = 0.43, 1.13
GOOD = tuple(f"good {number}" for number in range(8))
ODD = {"careless": "careless", "reversed": "reversed", "left": "side"}


def rankings(
    seed: int,
    behaviours: Mapping[str, str],
    prompts: int = 120,
    completions: int = 4,
    raters_a_prompt: int = 5,
) -> list[Judgment]:
    """Rankings by raters of these behaviours: good, careless, reversed, side or right-sided."""
    rng = np.random.default_rng(seed)
    names = list(behaviours)
    noise = dict(zip(names, rng.uniform(SHARPEST, BLUNTEST, len(names)), strict=True))
    votes = []
    for prompt in range(prompts):
        worth = rng.permutation(completions)
        for rater in rng.permutation(names)[:raters_a_prompt]:
            shown = rng.permutation(completions)
            score = _scores(rng, behaviours[rater], worth, shown, noise[rater])
            votes.append(_ranking(f"p{prompt}", str(rater), score, shown))
    return votes


def _scores(
    rng: np.random.Generator, behaviour: str, worth: np.ndarray, shown: np.ndarray, noise: float
) -> np.ndarray:
    chance = rng.gumbel(size=len(worth))
    place = np.argsort(shown)
    return {
        "good": worth / noise + chance,
        "careless": chance,
        "reversed": -worth / noise - chance,
        "side": 0.2 * worth - 2 * place + chance,
        "last": 0.2 * worth + 2 * place + chance,
    }[behaviour]


def _ranking(prompt: str, rater: str, score: np.ndarray, shown: np.ndarray) -> Judgment:
    return Judgment(
        id=f"{prompt} {rater}",
        prompt_id=prompt,
        rater=rater,
        kind="ranking",
        value=tuple((f"c{index}",) for index in np.argsort(-score)),
        completions=tuple(f"c{index}" for index in range(len(score))),
        shown=tuple(f"c{index}" for index in shown),
    )


def panel(seed: int, *, odd: bool, **size: int) -> list[Judgment]:
    """Eight good raters and the three odd ones, or eleven good ones."""
    behaviours = dict.fromkeys(GOOD, "good")
    behaviours |= {name: kind if odd else "good" for name, kind in ODD.items()}
    return rankings(seed, behaviours, **size)
