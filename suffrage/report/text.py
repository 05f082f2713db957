"""Making untrusted text safe to show and figures easy to read.

Whatever a model or a rater wrote may hold control characters, direction overrides that reorder the
page around them, or a megabyte of one word. Escaping is Jinja's work; the rest is done here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path

from suffrage.core.results import Estimate

LONGEST = 1200  # characters of one completion on the page
MISSING = "–"

# C0 and C1 controls but tab and newline, direction marks and overrides, lone surrogates, and code
# points that are not characters: none may reach the page as they are.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def clean(text: str) -> str:
    """The text with every unsafe code point replaced by its visible name, e.g. `⟨U+202E⟩`."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNSAFE.sub(lambda found: f"⟨U+{ord(found.group()):04X}⟩", lines)


def shorten(text: str, longest: int = LONGEST) -> str:
    """The first `longest` characters, with an ellipsis where something was left out."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def short_name(name: str, longest: int = 40) -> str:
    """A model's or run's name for a label: the last parts of a path, never over `longest`."""
    if len(name) > longest and "/" in name:
        name = "/".join(Path(name).parts[-2:])
    return name if len(name) <= longest else f"{name[: longest // 2 - 1]}…{name[-longest // 2 :]}"


def unique_names(paths: Iterable[Path]) -> dict[Path, str]:
    """The shortest trailing part of each path that no other path ends in."""
    paths = list(paths)
    names: dict[Path, str] = {}
    for path in paths:
        for length in range(1, len(path.parts) + 1):
            tail = path.parts[-length:]
            if sum(other.parts[-length:] == tail for other in paths) == 1:
                break
        names[path] = "/".join(tail)
    return names


def finite(value: object) -> float | None:
    """The value as a float when it is a number a plot can hold, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and abs(number) < 1e30 else None


def percent(value: float) -> str:
    """`96%`; one decimal where rounding would claim exactly none or all."""
    rounded = round(100 * value)
    if rounded in (0, 100) and not math.isclose(100 * value, rounded, abs_tol=1e-9):
        return f"{100 * value:.1f}%"
    return f"{rounded}%"


def decimal(value: float) -> str:
    """Two decimals with a true minus sign, for coefficients such as alpha."""
    return f"{value:.2f}".replace("-", "−")


def compact(value: float) -> str:
    """Three significant digits with a true minus sign, for metrics of any size."""
    return f"{value:.3g}".replace("-", "−")


def interval(estimate: Estimate, *, share: bool = True) -> str:
    """`90–99%` or `0.61–0.74`; empty where the estimate has no interval."""
    if estimate.low is None or estimate.high is None:
        return ""
    if share:
        return f"{percent(estimate.low).removesuffix('%')}–{percent(estimate.high)}"
    low, high = decimal(estimate.low), decimal(estimate.high)
    return f"{low} … {high}" if estimate.low < 0 else f"{low}–{high}"


def point(estimate: Estimate | None, *, share: bool = True) -> str:
    """The figure alone: `96%` or `0.71`, a dash where it is undefined."""
    if estimate is None or estimate.value is None:
        return MISSING
    return percent(estimate.value) if share else decimal(estimate.value)


def estimate(value: Estimate | None, *, share: bool = True) -> str:
    """Figure and interval: `96% (90–99%)`; the level is named only when it is not 95 %."""
    if value is None or value.value is None:
        return MISSING
    around = interval(value, share=share)
    if around and not math.isclose(value.level, 0.95):
        around = f"{percent(value.level)}: {around}"
    return f"{point(value, share=share)} ({around})" if around else point(value, share=share)


def duration(seconds: object) -> str:
    """`48 s`, `3 min 20 s`, `2 h 05 min`; a dash when no time is known."""
    number = finite(seconds)
    if number is None or number < 0:
        return MISSING
    if number < 10:
        return f"{number:.1f} s"
    whole = round(number)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
