"""The page in a real browser: silent, self-contained, readable on a phone and in the dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from study_fixture import EMPTY, estimate, raters

from suffrage.core.results import (
    Answer,
    Comparison,
    ComparisonResult,
    ModelStance,
    StanceResult,
    write_result,
)
from suffrage.report import build_report

pytestmark = pytest.mark.browser
# WCAG 2.2, 1.4.3: contrast of each visible text with the nearest opaque background behind it.
CONTRASTS = """() => {
  const channel = c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = rgb(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest('.skip')) continue;
    const style = getComputedStyle(node);
    const ink = rgb(node.tagName === 'text' ? style.fill : style.color);
    const [a, b] = [light(ink), light(behind(node))].sort((x, y) => y - x);
    found.push([node.textContent.trim().slice(0, 40), (a + .05) / (b + .05)]);
  }
  return found;
}"""


def open_page(browser: Any, path: Path, **options: object) -> tuple[Any, list[str]]:
    """The page and everything it complained of or asked for."""
    page = browser.new_page(**options)
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: heard.append(request.url))
    page.goto(path.as_uri())
    heard.remove(path.as_uri())
    return page, heard


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_silent_and_within_the_screen(browser: Any, study_page: Path, width: int) -> None:
    page, heard = open_page(browser, study_page, viewport={"width": width, "height": 800})
    assert heard == []
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough(browser: Any, study_page: Path, scheme: str) -> None:
    page, _ = open_page(browser, study_page, color_scheme=scheme)
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 300
    assert [pair for pair in contrasts if pair[1] < 4.5] == []
    page.close()


TABLES_OUTSIDE = """() => [...document.querySelectorAll('.scroll')]
  .filter(area => area.checkVisibility() && area.scrollWidth > area.clientWidth)
  .map(area => area.getAttribute('aria-label'))"""
NAMES_BROKEN = """() => [...document.querySelectorAll('#raters tbody th bdi')]
  .filter(name => name.getBoundingClientRect().height > 1.9 * parseFloat(
    getComputedStyle(name).fontSize)).map(name => name.textContent)"""
UNFILLED = """() => [...document.querySelectorAll('.tiles')].map(tiles => {
  const area = box => box.width * box.height;
  const filled = [...tiles.children].map(tile => area(tile.getBoundingClientRect()));
  return filled.reduce((a, b) => a + b) / area(tiles.getBoundingClientRect());
})"""


@pytest.mark.parametrize("width", [390, 320])
def test_tables_fit_a_phone_and_names_stay_whole(
    browser: Any, study_page: Path, width: int
) -> None:
    page, _ = open_page(browser, study_page, viewport={"width": width, "height": 800})
    assert page.evaluate(TABLES_OUTSIDE) == []
    assert page.evaluate(NAMES_BROKEN) == []
    page.close()


def test_short_names_do_not_break_at_their_hyphens(browser: Any, tmp_path: Path) -> None:
    person = raters(EMPTY).raters[0].model_copy(update={"rater": "Chia-Ling"})
    write_result(tmp_path / "r.json", raters(EMPTY).model_copy(update={"raters": (person,)}))
    out = build_report([tmp_path], tmp_path / "page.html")
    for width in (1280, 720, 390):
        page, _ = open_page(browser, out, viewport={"width": width, "height": 800})
        assert page.evaluate(NAMES_BROKEN) == []
        page.close()


@pytest.mark.parametrize("width", [1280, 500, 390])
def test_tiles_fill_their_row(browser: Any, study_page: Path, width: int) -> None:
    page, _ = open_page(browser, study_page, viewport={"width": width, "height": 800})
    filled = page.evaluate(UNFILLED)
    assert len(filled) == 2
    assert min(filled) > 0.95
    page.close()


CUT = """() => [...document.querySelectorAll('svg.plot text')]
  .map(text => text.textContent).filter(text => text.includes('…'))"""


def test_no_label_of_a_usual_study_is_cut(browser: Any, study_page: Path) -> None:
    page, _ = open_page(browser, study_page)
    assert page.evaluate(CUT) == []
    page.close()


LABELS_OUTSIDE = """() => [...document.querySelectorAll('svg.plot')]
  .filter(svg => svg.checkVisibility())
  .flatMap(svg => [...svg.querySelectorAll('text')].filter(text => {
    const [a, b] = [text.getBoundingClientRect(), svg.getBoundingClientRect()];
    return a.left < b.left - 1 || a.right > b.right + 1 || a.bottom > b.bottom + 1;
  }).map(text => text.textContent))"""


def test_labels_of_a_picture_stay_inside_it(browser: Any, study_page: Path) -> None:
    for width in (1280, 390):
        page, _ = open_page(browser, study_page, viewport={"width": width, "height": 800})
        assert page.evaluate(LABELS_OUTSIDE) == []
        page.close()


@pytest.mark.parametrize("name", ["長長長長長長長長長長" * 5, "W" * 60, "a/long/way/to/" * 6 + "x"])
def test_long_names_break_nothing(browser: Any, tmp_path: Path, name: str) -> None:
    rater = raters(EMPTY).raters[5].model_copy(update={"rater": name, "evidence": name})
    write_result(tmp_path / "r.json", raters(EMPTY).model_copy(update={"raters": (rater,)}))
    share = {name: estimate(0.5, 0.1), "support": estimate(0.02, 0.02)}
    model = ModelStance(model=name, shares=share, prompts=1, samples=1)
    write_result(tmp_path / "s.json", StanceResult(question=name, models=(model, model)))
    rows = (Comparison(prompt=name, answers=(Answer(model=name, text=name, stance=name),) * 3),)
    write_result(tmp_path / "c.json", ComparisonResult(rows=rows))
    out = build_report([tmp_path], tmp_path / "page.html")
    for width in (1280, 390):
        page, heard = open_page(browser, out, viewport={"width": width, "height": 800})
        assert heard == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(LABELS_OUTSIDE) == []
        page.close()


def test_print_shows_settings_and_drops_the_contents(browser: Any, study_page: Path) -> None:
    page, _ = open_page(browser, study_page)
    page.emulate_media(media="print")
    assert not page.locator(".contents").is_visible()
    assert page.locator("details table").first.is_visible()
    page.close()
