"""How many odd raters are found after 30 judgments each, beside what any test could find.

    python -m benchmarks.odd

Panels of eleven raters, eight good ones and one careless, one reversed and one who keeps to a side,
judge answers one unit of worth apart, five raters a prompt; good raters order 80 to 95 % of pairs
rightly. Told are the share of each kind that is named by its kind, in brackets named at all, and
the share of good raters who are named, with odd ones beside them and without. The bound is the
likelihood-ratio test (Neyman and Pearson 1933) that names 2 % of good raters: it knows the worth
of every answer, how the good raters differ, and how this kind of odd rater behaves.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

from suffrage.core.records import RATINGS, Completion, Group, Judgment, Prompt
from suffrage.label.answers import answer
from suffrage.label.behaviours import BEST, SimulatedRater
from suffrage.label.simulate import simulate_pairs, simulate_rankings
from suffrage.stats.intervals import Floats, Ints
from suffrage.stats.raters import raters_result

ITEMS, RATERS, EACH = 30, 11, 5  # judgments a rater, raters, raters a prompt
SHARPEST, BLUNTEST = 0.43, 1.13  # noise of good raters
WORTH = (1.0, 2.0, 3.0, 4.0)
ODD = ("careless", "reversed", "side")
FALSE_ALARMS = 0.02
NOISES = np.linspace(SHARPEST, BLUNTEST, 8)


# ------------------------------------------------------------- panels


def raters_of(rng: Random, odd: Sequence[str]) -> list[SimulatedRater]:
    kinds = [*odd, *["good"] * (RATERS - len(odd))]
    return [
        SimulatedRater(name=f"{kind} {i}", behaviour=kind, noise=rng.uniform(SHARPEST, BLUNTEST))
        for i, kind in enumerate(kinds)
    ]


def prompts_of(rng: Random, prompts: int, answers: int) -> list[Group]:
    """Each with so many answers of different worth, which is the last word of their text."""
    return [
        Group(
            prompt=Prompt(id=f"p{number}", content=f"question {number}"),
            completions=tuple(
                Completion(
                    id=f"p{number}-{i}",
                    prompt_id=f"p{number}",
                    text=f"answer {worth}",
                )
                for i, worth in enumerate(rng.sample(WORTH, answers))
            ),
        )
        for number in range(prompts)
    ]


def worth_of(_: Group, completion: Completion, __: SimulatedRater) -> float:
    return float(completion.text.split()[-1])


def pairs(rng: Random, raters: list[SimulatedRater]) -> list[Judgment]:
    groups = prompts_of(rng, ITEMS * RATERS // EACH, 2)
    return simulate_pairs(groups, raters, worth_of, EACH, rng.randrange(1 << 30))


def rankings(rng: Random, raters: list[SimulatedRater]) -> list[Judgment]:
    groups = prompts_of(rng, ITEMS * RATERS // EACH, len(WORTH))
    return simulate_rankings(groups, raters, worth_of, EACH, rng.randrange(1 << 30))


def ratings(rng: Random, raters: list[SimulatedRater]) -> list[Judgment]:
    """Of single answers, as the queue gives them out: any of a prompt's to anybody."""
    groups = prompts_of(rng, ITEMS * RATERS // EACH // len(WORTH) + 1, len(WORTH))
    load = Counter[str]()
    found = []
    for group in groups:
        for completion in group.completions:
            chosen = sorted(raters, key=lambda one: (load[one.name], rng.random()))[:EACH]
            for rater in chosen:
                load[rater.name] += 1
                said = answer("rating", group, [completion], rater, worth_of, rng).value
                found.append(
                    Judgment(
                        id=f"{completion.id} {rater.name}",
                        prompt_id=group.prompt.id,
                        rater=rater.name,
                        kind="rating",
                        completions=(completion.id,),
                        shown=(completion.id,),
                        value=said,
                    )
                )
    return found


KINDS: dict[str, Callable[[Random, list[SimulatedRater]], list[Judgment]]] = {
    "pairs": pairs,
    "rankings of four": rankings,
    "ratings": ratings,
}


@dataclass
class Found:
    """Counts over all panels, by behaviour."""

    raters: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    rightly: Counter[str] = field(default_factory=Counter)
    panels: int = 0  # in which a good rater was named


def found(kind: str, panels: int, odd: Sequence[str] = ODD, start: int = 0) -> Found:
    """Who is named in so many panels."""
    tally = Found()
    for seed in range(start, start + panels):
        rng = Random(seed)
        raters = raters_of(rng, odd)
        truth = {rater.name: rater.behaviour for rater in raters}
        alarm = False
        for row in raters_result(KINDS[kind](rng, raters), rounds=2).raters:
            was = truth[row.rater]
            tally.raters[was] += 1
            tally.named[was] += bool(row.odd)
            tally.rightly[was] += row.odd == was
            alarm |= was == "good" and bool(row.odd)
        tally.panels += alarm
    return tally


# ------------------------------------------------------------- what any test could find

Draws = tuple[Floats, Ints]  # N raters' 30 items: worths as shown (N, 30, K), and what was said


def draw(kind: str, behaviour: str, raters: int, rng: np.random.Generator) -> Draws:
    """What raters of one behaviour say: rankings as places on the screen, best first; levels."""
    shape = (raters, ITEMS, {"pairs": 2, "rankings of four": 4, "ratings": 1}[kind])
    worth = rng.permuted(np.broadcast_to(WORTH, (*shape[:2], len(WORTH))), axis=2)[..., : shape[2]]
    noise = rng.uniform(SHARPEST, BLUNTEST, (raters, 1, 1))
    if kind == "ratings":
        return worth, _levels(behaviour, worth, noise, rng)
    chance = rng.gumbel(size=shape)
    score = {
        "good": worth / noise + chance,
        "careless": chance,
        "reversed": -worth / noise - chance,
        "side": _sided(worth, noise) + chance,
    }[behaviour]
    return worth, np.argsort(-score, axis=2)


def _sided(worth: Floats, noise: Floats | float) -> Floats:
    return np.asarray(-2.5 * np.arange(worth.shape[-1]) + 0.1 * worth / noise)


def _levels(behaviour: str, worth: Floats, noise: Floats, rng: np.random.Generator) -> Ints:
    good = (worth + noise * rng.normal(size=worth.shape)) / BEST
    seems = {
        "good": good,
        "careless": rng.random(worth.shape),
        "reversed": 1 - good,
        "side": np.ones(worth.shape),
    }[behaviour]
    return (np.clip(seems, 0, 1 - 1e-9) * len(RATINGS)).astype(np.intp)


def likelihood(kind: str, behaviour: str, draws: Draws) -> Floats:
    """Log of the chance of what each rater said, their noise unknown: (N,)."""
    each = _level_chance if kind == "ratings" else _order_chance
    logs = [each(behaviour, *draws, noise).sum(axis=1) for noise in NOISES]
    return np.asarray(logsumexp(logs, axis=0) - np.log(len(NOISES)))


def _order_chance(behaviour: str, worth: Floats, order: Ints, noise: float) -> Floats:
    """Plackett and Luce's model: (N, 30)."""
    score = {
        "good": worth / noise,
        "careless": 0 * worth,
        "reversed": worth / noise,
        "side": _sided(worth, noise),
    }[behaviour]
    order = order[..., ::-1] if behaviour == "reversed" else order
    score = np.take_along_axis(score, order, axis=2)
    later = np.logaddexp.accumulate(score[..., ::-1], axis=2)[..., ::-1]
    return np.asarray((score - later).sum(axis=2))


def _level_chance(behaviour: str, worth: Floats, level: Ints, noise: float) -> Floats:
    """A normal between the steps, with a slip of the hand in 1,000: (N, 30)."""
    steps = len(RATINGS)
    level = steps - 1 - level if behaviour == "reversed" else level
    high = np.where(level < steps - 1, level + 1, np.inf)
    low = np.where(level > 0, level, -np.inf)
    above, below = (norm.cdf((edge * BEST / steps - worth) / noise) for edge in (high, low))
    chance = {"careless": np.full(level.shape, 1 / steps), "side": level == steps - 1}
    return np.asarray(np.log(0.999 * chance.get(behaviour, above - below) + 0.001 / steps)[..., 0])


def bound(kind: str, odd: str, raters: int = 4000, seed: int = 0) -> float:
    """The share of these odd raters that the best test for them finds."""
    rng = np.random.default_rng(seed)

    def ratio(behaviour: str) -> Floats:
        draws = draw(kind, behaviour, raters, rng)
        return likelihood(kind, odd, draws) - likelihood(kind, "good", draws)

    return float(np.mean(ratio(odd) > np.quantile(ratio("good"), 1 - FALSE_ALARMS)))


def told(tally: Found, odd: str) -> str:
    raters = tally.raters[odd]
    return f"{tally.rightly[odd] / raters:.1%} ({tally.named[odd] / raters:.1%})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--panels", type=int, default=400)
    args = parser.parse_args()
    columns = [f"{odd} | bound" for odd in ODD]
    print(f"| 30 judgments each | {' | '.join(columns)} | good raters named | without odd ones |")
    print("|---" * (2 * len(ODD) + 3) + "|")
    for kind in KINDS:
        tally, calm = found(kind, args.panels), found(kind, args.panels, (), start=1_000_000)
        cells = [f"{told(tally, odd)} | {bound(kind, odd):.1%}" for odd in ODD]
        good = [f"{one.named['good'] / one.raters['good']:.2%}" for one in (tally, calm)]
        print(f"| {kind} | {' | '.join([*cells, *good])} |", flush=True)


if __name__ == "__main__":
    main()
