"""What a simulated rater says of what is on the screen; they judge, and write no answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from random import Random

from suffrage.core.records import GRADES, RATINGS, Completion, Group, JudgmentKind
from suffrage.label.behaviours import BEHAVIOURS, Behaviour, Sight, SimulatedRater

Utility = Callable[[Group, Completion, SimulatedRater], float]  # 0 bad to 5.5, the best
Value = str | int | tuple[tuple[str, ...], ...]  # as in `Judgment`


@dataclass(frozen=True)
class Answer:
    """A vote but for whose it is; "a" is the first completion shown."""

    value: Value
    strength: int | None
    seconds: float


def answer(
    kind: JudgmentKind,
    group: Group,
    shown: Sequence[Completion],
    rater: SimulatedRater,
    utility: Utility,
    rng: Random,
    done: int = 0,
) -> Answer:
    """The rater's vote on the completions in the order shown; `done` votes came before it."""
    behaviour, sight = BEHAVIOURS[rater.behaviour], _sight(group, shown, rater, utility, done)
    if kind in ("pair", "ranking"):
        ids = tuple(completion.id for completion in shown)
        scores = dict(zip(ids, behaviour.scores(sight, rng), strict=True))
        value: Value = _ranking(scores) if kind == "ranking" else _choice(scores, ids)
        strength = None if kind == "ranking" else _strength(scores, ids)
    else:
        value, strength = _level(kind, behaviour.seems(sight, rng)), None
    return Answer(value, strength, _seconds(group.prompt.text, sight, behaviour, rng))


def _sight(
    group: Group, shown: Sequence[Completion], rater: SimulatedRater, utility: Utility, done: int
) -> Sight:
    return Sight(
        texts=tuple(completion.text.strip() for completion in shown),
        utilities=tuple(utility(group, completion, rater) for completion in shown),
        noise=rater.noise,
        done=done,
    )


def _ranking(scores: dict[str, float]) -> tuple[tuple[str, ...], ...]:
    ordered = sorted(scores, key=lambda name: -scores[name])
    return tuple(tuple(tied) for _, tied in groupby(ordered, key=lambda name: scores[name]))


def _choice(scores: dict[str, float], ids: tuple[str, ...]) -> str:
    first, second = (scores[name] for name in ids)
    return "tie" if first == second else "a" if first > second else "b"


def _strength(scores: dict[str, float], ids: tuple[str, ...]) -> int | None:
    gap = abs(scores[ids[0]] - scores[ids[1]])
    return min(4, 1 + int(gap / 2)) if gap else None


def _level(kind: JudgmentKind, good: float) -> Value:
    """A judgment of one completion from how good it seems, 0 to 1, in equal steps."""
    if kind == "thumb":
        return "up" if good >= 0.5 else "down"
    steps: tuple[str | int, ...] = tuple(reversed(GRADES)) if kind == "grade" else RATINGS
    return steps[min(len(steps) - 1, int(good * len(steps)))]


def _seconds(prompt: str, sight: Sight, behaviour: Behaviour, rng: Random) -> float:
    """Reading at about 300 Chinese characters or 200 words a minute, times a log-normal factor."""
    letters = sum(3 if ord(letter) > 0x2E7F else 1 for letter in prompt + "".join(sight.texts))
    return round((3 + behaviour.pace * letters / 15) * rng.lognormvariate(0, 0.3), 1)
