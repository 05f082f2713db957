"""Matplotlib drawings as inline SVG that follows the page: its fonts, its light and dark colours.

Three things are put in after Matplotlib has drawn. Colours: each role is drawn in a sentinel and
becomes a CSS variable. Words: each label is drawn as a numbered placeholder and becomes escaped
text in the page's font, so no rater's name is measured by a font without its glyphs, read as
mathematics, or able to leave its element. Ids: unused ones go, the rest are prefixed, so several
drawings share a page. Layout is therefore ours, in CSS pixels, never fitted to the words.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

from markupsafe import Markup, escape

from suffrage.report.text import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Role in the page's palette -> the colour Matplotlib draws it in; none occurs by chance.
COLOURS = {
    "ink": "#010a01",
    "muted": "#010a02",
    "line": "#010a03",
    "accent": "#010a04",
    "second": "#010a05",
    "warn": "#010a06",
    "surface": "#010a07",
}
INK, MUTED, LINE, ACCENT, SECOND, WARN, SURFACE = COLOURS.values()

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: selectable, translatable, in the page's font
    "svg.hashsalt": "suffrage",  # the same drawing has the same ids
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": LINE,
    "grid.linewidth": 1.0,
    "axes.axisbelow": True,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "font.size": 12.0,
    "xtick.labelsize": 12.0,
    "ytick.labelsize": 12.0,
    "text.color": INK,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "path.simplify": False,
}


@contextmanager
def quiet_style() -> Iterator[None]:
    """Matplotlib's defaults plus ours, whatever the user's matplotlibrc says; then as before."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        parameters: Any = matplotlib.rcParams  # its key type differs from release to release
        parameters.update(_STYLE)
        yield


class Canvas:
    """A drawing of `width` x `height` CSS pixels; use inside `quiet_style`."""

    def __init__(self, name: str, width: float, height: float) -> None:
        """`name` prefixes the ids and must be the page's only drawing of that name."""
        from matplotlib.figure import Figure

        self.name, self.width, self.height = name, width, height
        self._figure = Figure(figsize=(width / 72, height / 72), dpi=72)  # 1 point = 1 pixel
        self._words: list[str] = []

    def axes(self, left: float, top: float, right: float, bottom: float) -> Axes:
        """Axes with these margins in pixels and no frame."""
        axes = self._figure.add_axes(
            (
                left / self.width,
                bottom / self.height,
                (self.width - left - right) / self.width,
                (self.height - top - bottom) / self.height,
            )
        )
        axes.spines[:].set_visible(False)
        return axes

    def word(self, text: str, pixels: float | None = None, size: float = 12) -> str:
        """The placeholder to draw in place of `text`, cut to fit `pixels` (or the drawing)."""
        room = (self.width if pixels is None else pixels) / size
        self._words.append(fit(clean(text).replace("\n", " "), room))
        return f"[[{len(self._words) - 1}]]"

    def svg(self, label: str) -> Markup:
        """The drawing as an `<svg>` element that a screen reader announces as `label`."""
        out = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        self._figure.savefig(out, format="svg", metadata=nothing, transparent=True)
        body = _body(out.getvalue())
        for role, colour in COLOURS.items():
            body = body.replace(colour, f"var(--{role})")
        body = _own_ids(body, self.name)
        body = re.sub(r"\[\[(\d+)\]\]", lambda found: self._escaped(int(found.group(1))), body)
        return Markup(  # every word in body was escaped above
            f'<svg class="plot" role="img" aria-label="{escape(clean(label))}" '
            f'viewBox="0 0 {self.width:g} {self.height:g}" width="{self.width:g}" '
            f'height="{self.height:g}">{body}</svg>'
        )

    def _escaped(self, number: int) -> str:
        return str(escape(self._words[number]))


def em_width(text: str) -> float:
    """About how wide the text is, in font sizes; no font is known here, so rather too wide."""
    return sum(map(_letter_width, text))


def _letter_width(letter: str) -> float:
    if letter in "WMm@%…—" or east_asian_width(letter) in "WF":
        return 1.0
    return 0.72 if letter.isupper() else 0.58


def fit(text: str, room: float) -> str:
    """The text, or as much of its beginning as `room` font sizes hold, with an ellipsis."""
    if em_width(text) <= room:
        return text
    while text and em_width(text) + 1 > room:
        text = text[:-1]
    return text.rstrip() + "…"


def _body(svg: str) -> str:
    """What is inside Matplotlib's `<svg>`, without comments, fonts and its style for all of `*`."""
    body = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    body = re.sub(r"<!--.*?-->|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r" ?font-family: [^;\"]*;?", "", body)
    body = re.sub(r' transform="rotate\(-?0 [^"]*\)"', "", body)
    return re.sub(r"\s*\n\s*", " ", body)


def _own_ids(body: str, name: str) -> str:
    """Keep the ids something points to, under this drawing's name; drop the rest."""
    used = set(re.findall(r"(?:xlink:href=\"#|url\(#)([^\")]+)", body))
    body = re.sub(
        r' id="([^"]*)"',
        lambda found: f' id="{name}-{found.group(1)}"' if found.group(1) in used else "",
        body,
    )
    return body.replace('xlink:href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
