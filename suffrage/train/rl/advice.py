"""What a user should know of the curves of a run that samples, and what to do about it."""

from __future__ import annotations

import itertools
import math
import statistics

from suffrage.train.advice import Check, Rows, ends

NEGATIVE = -0.1  # nats an answer: chance alone seldom takes the mean of a tenth of a run so low
FELL = 0.1  # of the held-out reward's rise that is lost again
WATCHED = "watched/"  # what a reward of weight 0 is logged as
NOISES = 2.0  # by which a watched reward must fall before anything is said
LONGER = 1.5  # times as long, or as short, while the reward rises
COLLAPSED = 0.1  # of the entropy the run began with
CUT = 0.5  # share of answers that are cut
RATIO = 0.05  # by which new over old probability may differ from 1 before any update


def _negative_kl(rows: Rows) -> str:
    found = ends(rows, "kl")
    if found is None or found[1] >= NEGATIVE:
        return ""
    return (
        f"the KL to the reference is measured as {found[1]:.2f} nats, and no KL is below 0: it is "
        "a mean over too few answers; a larger --batch-size or more --samples measure it better"
    )


def _hacked(rows: Rows) -> str:
    """Training reward up while the held-out reward has turned (2210.10760)."""
    trained = ends(rows, "reward")
    held_out = [row for row in rows if "eval/reward" in row]
    if trained is None or trained[1] <= trained[0] or len(held_out) < 3:
        return ""
    first, last = held_out[0]["eval/reward"], held_out[-1]["eval/reward"]
    best = max(held_out, key=lambda row: row["eval/reward"])
    rise = best["eval/reward"] - first
    if rise <= 0 or best["eval/reward"] - last <= FELL * rise:
        return ""
    return (
        f"the reward of training prompts rose while that of held-out prompts fell from "
        f"{best['eval/reward']:.3f} at step {best['step']:g} to {last:.3f}: the policy learns the "
        "prompts or the reward's mistakes; --patience 1 keeps the best weights, a larger --kl-coef "
        "stays nearer"
    )


def _judged_worse(rows: Rows) -> str:
    """A reward that is only watched falls while the one that is followed rises (2210.10760)."""
    trained = ends(rows, "reward")
    if trained is None or trained[1] <= trained[0]:
        return ""
    for name in dict.fromkeys(key for row in rows for key in row if key.startswith(WATCHED)):
        found = ends(rows, name)
        if found is not None and found[1] < found[0] - NOISES * _noise(rows, name):
            return (
                f"the reward rose while {name.removeprefix(WATCHED)}, which is only watched, fell "
                f"from {found[0]:.3f} to {found[1]:.3f}: the policy exploits mistakes of the "
                "reward; a larger --kl-coef or a smaller --stop-kl keeps it nearer, or add what is "
                "watched to the reward"
            )
    return ""


def _noise(rows: Rows, name: str) -> float:
    """How far chance moves a mean over a tenth of the rows, judged by the changes row to row."""
    values = [row[name] for row in rows if name in row]
    changes = [after - before for before, after in itertools.pairwise(values)]
    return statistics.pstdev(changes) / math.sqrt(max(1, len(values) // 10))


def _lengths(rows: Rows) -> str:
    """Length is what a reward is most easily fooled by (2310.03716)."""
    length, reward = ends(rows, "length"), ends(rows, "reward")
    if length is None or reward is None or reward[1] <= reward[0]:
        return ""
    if 1 / LONGER <= length[1] / max(length[0], 1e-9) <= LONGER:
        return ""
    return (
        f"with the reward the length went from {length[0]:.0f} to {length[1]:.0f} tokens, so look "
        "at samples.jsonl whether the reward is for the length alone; --length-penalty charges for "
        "each token"
    )


def _collapsed(rows: Rows) -> str:
    found = ends(rows, "entropy")
    if found is None or found[0] <= 0 or found[1] >= COLLAPSED * found[0]:
        return ""
    return (
        f"the policy gives nearly the same answer each time (entropy {found[0]:.2f} -> "
        f"{found[1]:.2f} nats a token); a larger --kl-coef or a smaller --lr keeps it varied"
    )


def _cut(rows: Rows) -> str:
    found = ends(rows, "unfinished")
    if found is None or found[1] <= CUT:
        return ""
    return (
        f"{found[1]:.0%} of the answers are cut before their end, so the reward reads halves; "
        "raise --max-new-tokens"
    )


def _other_numbers(rows: Rows) -> str:
    """Sampling and scoring must agree on probabilities; in coarse numbers they may not."""
    wrong = next((r for r in rows if abs(r.get("ratio", 1.0) - 1) > RATIO), None)
    if wrong is None:
        return ""
    return (
        f"before any update of step {wrong['step']:g} the new policy already differed from the old "
        f"one (ratio {wrong['ratio']:.3f}, must be 1); compute in finer numbers with --precision "
        "fp32"
    )


CHECKS: tuple[Check, ...] = (
    _negative_kl,
    _hacked,
    _judged_worse,
    _lengths,
    _collapsed,
    _cut,
    _other_numbers,
)
