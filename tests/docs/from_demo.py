"""Puts a finished demo into the README: `python -m tests.docs.from_demo demo/en-0`.

Writes what the demo printed between the README's `demo output` marks, and a picture of its report
to `docs/images/report.png` (with Chromium, through playwright).
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import sys
from pathlib import Path

from suffrage.cli.demo import _tell
from suffrage.core.files import read_json, read_jsonl, write_text

ROOT = Path(__file__).parents[2]
OUTPUT = re.compile(r"(<!-- demo output -->\n).*?(<!-- /demo output -->)", re.DOTALL)
WIDTH, HEIGHT = 1200, 900  # the page's head and its first figure, at desktop width


def printed(demo: Path) -> str:
    """The demo's line a stage, as the first run printed it; the last names the report."""
    rows = read_jsonl(demo / "stages.jsonl")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        _tell({**row, "reused": False} for row in rows)
    made = read_json(demo / "demo.json")
    return said.getvalue().replace(str(demo), f"demo/{made['lang']}-{made['seed']}")


def picture(page: Path, out: Path) -> None:
    from playwright.sync_api import sync_playwright

    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        view.goto(page.resolve().as_uri())
        view.screenshot(path=out)
        browser.close()


def main(demo: Path) -> None:
    readme = ROOT / "README.md"
    block = f"```text\n{printed(demo)}```\n"
    text = OUTPUT.sub(lambda found: found[1] + block + found[2], readme.read_text(encoding="utf-8"))
    write_text(readme, text)
    picture(demo / "report.html", ROOT / "docs" / "images" / "report.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
