"""The commands that the docs show, taken out of their fenced blocks."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`(suffrage [^`]+)`")


class Block(NamedTuple):
    """One fenced block: what stands behind the fence, and its lines without indentation."""

    page: str
    info: str
    text: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = _FENCE.findall(page.read_text(encoding="utf-8"))
    return [
        Block(page.name, info.strip(), "".join(line.removeprefix(indent) for line in lines))
        for indent, info, body in found
        for lines in [body.splitlines(keepends=True)]
    ]


def shell_lines(page: Path) -> list[str]:
    """The commands of a page's bash and console blocks."""
    return [
        line.removeprefix("$ ")
        for block in blocks(page)
        if block.info == "bash" or block.info == "console"
        for line in block.text.splitlines()
        if line.strip() and (block.info == "bash" or line.startswith("$ "))
    ]


def suffrage_words(line: str) -> list[str] | None:
    """The words after `suffrage` in a command; None for another program's command."""
    words = shlex.split(line, comments=True)
    return words[1:] if words and Path(words[0]).name == "suffrage" else None


def inline_commands(page: Path) -> list[str]:
    """Commands named in running text, such as `suffrage agree --out`."""
    return _INLINE.findall(page.read_text(encoding="utf-8"))
