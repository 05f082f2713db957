"""Writes the parts of the docs that follow from the code: `python -m tests.docs.generate`.

Between `<!-- generated: NAME -->` and `<!-- /generated -->` stands what the function of that name
makes of the code's own tables; a test fails while a page holds anything else.
"""

from __future__ import annotations

import ast
import re
import sys
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from suffrage.core.results import RESULTS
from suffrage.data.readers.row import Format
from suffrage.data.readers.table import GROUP_FORMATS, PROMPT_FORMATS
from suffrage.objectives.options import OPTIONS
from suffrage.objectives.table import OBJECTIVES
from suffrage.train.settings import LEARNING_RATES, TrainSettings

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "suffrage"
PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- /generated -->)", re.DOTALL)
PHRASE_COLUMN = 26  # where the phrases of the tree begin
# From the lowest floor to the highest, as `docs/architecture.md` tells it.
_LOWER = ("core", "objectives", "stats", "data", "models", "train", "label")
PACKAGES = (*_LOWER, "evaluate", "report", "worlds", "demo", "cli")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def code(value: object) -> str:
    """The value as code; a bar in it would end the cell of a table."""
    return "`" + str(value).replace("|", "` or `") + "`"


def phrase(file: Path) -> str:
    """What a file is for: the first sentence of its docstring."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    words = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z])", words)[0].rstrip(".")


def tree() -> str:
    """Every Python file of the package with a phrase."""
    lines = ["suffrage/"]
    for package in PACKAGES:
        lines += [_line(f"  {package}/", phrase(PACKAGE / package / "__init__.py"))]
        lines += _files(PACKAGE / package, 4)
    own = sorted(file for file in PACKAGE.glob("*.py"))
    lines += [_line(f"  {file.name}", phrase(file)) for file in own]
    return "```text\n" + "\n".join(lines) + "\n```\n"


def _files(folder: Path, indent: int) -> list[str]:
    lines: list[str] = []
    for one in sorted(folder.iterdir(), key=lambda path: (path.is_dir(), path.name)):
        if one.suffix == ".py" and one.name != "__init__.py":
            lines.append(_line(" " * indent + one.name, phrase(one)))
        elif (one / "__init__.py").exists():
            lines.append(_line(" " * indent + f"{one.name}/", phrase(one / "__init__.py")))
            lines += _files(one, indent + 2)
    return lines


def _line(name: str, what: str) -> str:
    return f"{name:{PHRASE_COLUMN}} {what}"


def methods() -> str:
    """One row a method."""
    rows = (
        (
            f"[`{row.name}`](#{row.name})",
            row.summary,
            row.view,
            "yes" if row.needs_reference else "no",
            "{:g} to {:g}".format(*LEARNING_RATES[row.name]),
            f"[{row.paper}](https://arxiv.org/abs/{row.paper})",
        )
        for row in OBJECTIVES.values()
    )
    head = ("method", "what it does", "reads", "reference", "rate, 1 M to 7 B parameters", "paper")
    return table(head, rows)


def options(method: str) -> Callable[[], str]:
    """The options of one method and their defaults."""

    def made() -> str:
        found = OBJECTIVES[method].options()
        if not found:
            return f"`{method}` has no options of its own.\n"
        rows = (
            (code(flag(name)), f"`{value:g}`", OPTIONS[name].range, OPTIONS[name].help)
            for name, value in found.items()
        )
        return table(("option", "default", "values", "what it is"), rows)

    return made


def flag(name: str) -> str:
    """The option of a setting on the command line."""
    return "--" + name.replace("_", "-")


def settings() -> str:
    """What every method takes."""
    rows = (
        (code(flag(name)), _default(field), field.description)
        for name, field in TrainSettings.model_fields.items()
        if field.description
    )
    return table(("option", "default", "what it is"), rows)


def _default(field: Any) -> str:
    default = "unset" if field.default is None else f"`{field.default}`"
    if typing.get_origin(field.annotation) is not typing.Literal:
        return default
    others = (f"`{one}`" for one in typing.get_args(field.annotation) if one != field.default)
    return f"{default} (or {', '.join(others)})"


def _formats(formats: Sequence[Format]) -> str:
    rows = (
        (
            form.name,
            ", ".join(code(name) for name in form.fields),
            ", ".join(form.views) or "prompts only",
            form.note,
        )
        for form in formats
    )
    return table(("format", "fields a row must hold", "gives", "remarks"), rows)


def results() -> str:
    """One row a result record."""
    rows = (
        (
            code(name),
            (record.__doc__ or "").strip().rstrip("."),
            ", ".join(code(field) for field in record.model_fields if field != "result"),
        )
        for name, record in RESULTS.items()
    )
    return table(('`"result"`', "what it holds", "its fields"), rows)


MADE: dict[str, Callable[[], str]] = {
    "tree": tree,
    "methods": methods,
    "settings": settings,
    "group-formats": lambda: _formats(GROUP_FORMATS),
    "prompt-formats": lambda: _formats(PROMPT_FORMATS),
    "results": results,
    **{f"options-{name}": options(name) for name in OBJECTIVES},
}


def render(text: str) -> str:
    """The page with each generated part made anew."""
    return BLOCK.sub(lambda found: found[1] + MADE[found[2]]() + found[3], text)


def main() -> int:
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        after = render(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(f"{page.relative_to(ROOT)}: written anew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
