"""How many prompts a study needs, and what a study of a given size can see.

Normal approximations, good from some dozens of prompts on; `repeats` judgments of one prompt that
resemble each other (`likeness`, their intraclass correlation) count as fewer: their number divided
by the design effect 1 + (repeats - 1) likeness (L. Kish, "Survey Sampling", 1965).
"""

from __future__ import annotations

import math

from scipy import stats

from suffrage.core.errors import SettingsError
from suffrage.stats.intervals import LEVEL


def design_effect(repeats: float, likeness: float) -> float:
    """By how much clusters of `repeats` judgments widen a variance; likeness is 0 to 1."""
    if repeats < 1 or not 0 <= likeness <= 1:
        raise SettingsError(
            f"{repeats:g} judgments a prompt with likeness {likeness:g}; give at least 1, and a "
            "likeness from 0 to 1."
        )
    return 1 + (repeats - 1) * likeness


def _z(tail: float) -> float:
    return float(stats.norm.isf(tail))


def prompts_for_width(
    half_width: float,
    share: float = 0.5,
    *,
    repeats: float = 1,
    likeness: float = 1.0,
    level: float = LEVEL,
) -> int:
    """Prompts for an interval of a share of +- `half_width`.

    n = z^2 p (1 - p) / w^2 judgments, times the design effect, over `repeats` a prompt. 385 prompts
    give +-5 points near 50 %.
    """
    _check_share(share)
    if not half_width > 0:
        raise SettingsError(f"a half width of {half_width:g}; give one above 0, such as 0.05.")
    judgments = (_z((1 - level) / 2) / half_width) ** 2 * share * (1 - share)
    return _prompts(judgments, repeats, likeness)


def _prompts(judgments: float, repeats: float, likeness: float) -> int:
    return math.ceil(judgments * design_effect(repeats, likeness) / repeats - 1e-9)


def prompts_for_win_rate(
    win_rate: float,
    *,
    power: float = 0.8,
    ties: float = 0.0,
    repeats: float = 1,
    likeness: float = 1.0,
    level: float = LEVEL,
) -> int:
    """Prompts to see, with chance `power`, that a win rate (ties half) is not one half.

    n = (z_level sqrt(v_0) + z_power sqrt(v_1))^2 / (p - 1/2)^2: v_0 = (1 - ties) / 4 and
    v_1 = p (1 - p) - ties / 4 are the variances of one judgment without and with the difference.
    """
    _check_share(win_rate)
    if not 0 <= ties < 1 or abs(win_rate - 0.5) > (1 - ties) / 2 or win_rate == 0.5:
        raise SettingsError(
            f"a win rate of {win_rate:g} with a share {ties:g} of ties; give a win rate other than "
            "0.5 that these ties allow."
        )
    chance, true = (1 - ties) / 4, win_rate * (1 - win_rate) - ties / 4
    reach = _z((1 - level) / 2) * math.sqrt(chance) + _z(1 - power) * math.sqrt(max(true, 0.0))
    return _prompts((reach / (win_rate - 0.5)) ** 2, repeats, likeness)


def power_of_win_rate(
    win_rate: float,
    prompts: int,
    *,
    ties: float = 0.0,
    repeats: float = 1,
    likeness: float = 1.0,
    level: float = LEVEL,
) -> float:
    """The chance that a study of so many prompts sees that a win rate is not one half.

    The test rejects on either side; the far side counts as well, so without a difference it is
    1 - level.
    """
    _check_share(win_rate)
    judgments = prompts * repeats / design_effect(repeats, likeness)
    chance = math.sqrt((1 - ties) / 4 / judgments)
    true = math.sqrt(max(win_rate * (1 - win_rate) - ties / 4, 1e-12) / judgments)
    reach, lead = _z((1 - level) / 2) * chance, win_rate - 0.5
    return float(stats.norm.sf((reach - lead) / true) + stats.norm.cdf((-reach - lead) / true))


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise SettingsError(f"a share of {share:g}; give one between 0 and 1.")
