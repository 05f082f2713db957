"""Writes the parts of the docs that follow from the code: `python -m tests.docs.generate`.

Between `<!-- generated: NAME -->` and `<!-- /generated -->` stands what the function of that name
makes of the code's own tables; a test fails while a page holds anything else. A method without a
page gets one, in which only "When to use it" is left to write.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from suffrage.core.files import write_text
from suffrage.core.results import RESULTS
from suffrage.data import conditioning, views
from suffrage.data.readers.row import Format
from suffrage.data.readers.table import GROUP_FORMATS, PROMPT_FORMATS
from suffrage.objectives import likelihood, pairs, policy_gradient, ppo, rankings
from suffrage.objectives.objective import Objective
from suffrage.objectives.options import OPTIONS
from suffrage.objectives.table import OBJECTIVES
from suffrage.train.figures import EVERY_METHOD, figures_of
from suffrage.train.settings import TrainSettings, learning_rates

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "suffrage"
METHODS = ROOT / "docs" / "methods"
NEW_PAGE = Path(__file__).with_name("new_method.md")  # NAME stands for the method
PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- /generated -->)", re.DOTALL)
INDENTED = re.compile(r"^    .*(?:\n+    .*)*", re.MULTILINE)
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
            f"[`{row.name}`](methods/{row.name}.md)",
            row.summary,
            row.view,
            "yes" if row.reference else "no",
            "{:g} to {:g}".format(*learning_rates(row.name)),
            arxiv(row.paper),
        )
        for row in OBJECTIVES.values()
    )
    head = ("method", "what it does", "reads", "reference", "rate, 1 M to 7 B parameters", "paper")
    return table(head, rows)


def arxiv(text: str) -> str:
    """The text with each arXiv number linked."""
    return re.sub(r"\b(\d{4}\.\d{5})\b", r"[\1](https://arxiv.org/abs/\1)", text)


def summary(row: Objective) -> str:
    """What the method does, reads and is held to, and its paper."""
    does = f"{row.summary[0].upper()}{row.summary[1:]}."
    learns = "Trains a reward model" if row.learns == "reward" else "Trains a language model"
    held = ", held near the model it started from" if row.reference else ""
    return f"{does} {learns} on {row.view}{held}. Paper: {arxiv(row.paper)}.\n"


# Functions that a method's own docstring refers to, or that stand in its place.
ALSO: dict[str, tuple[Callable[..., Any], ...]] = {
    "reward-ranking": (rankings.plackett_luce_nll,),
    "dpo-list": (rankings.plackett_luce_nll,),
    "dpo-norm": (pairs.dpo_loss,),
    "hindsight": (conditioning.compared,),
    "conditional": (views.as_qualities,),
    "ppo": (ppo.kl_rewards, ppo.gae, ppo.policy_loss, ppo.value_loss),
    "rloo": (policy_gradient.leave_one_out, ppo.policy_loss, policy_gradient.kl_estimate),
    "grpo": (policy_gradient.group_relative, ppo.policy_loss, policy_gradient.kl_estimate),
    "reinforce": (policy_gradient.leave_one_out, ppo.policy_loss, policy_gradient.kl_estimate),
    "raft": (likelihood.sft_loss,),
    "best-of-n": (likelihood.sft_loss,),
    "online-dpo": (pairs.dpo_loss,),
}


def equation(row: Objective) -> str:
    """The docstrings of the method's functions, which hold the equation."""
    own = () if inspect.isclass(row.function) else (row.function,)
    return "\n".join(_explained(function) for function in (*own, *ALSO.get(row.name, ())))


def _explained(function: Callable[..., Any]) -> str:
    file = Path(inspect.getfile(function)).relative_to(ROOT)
    said = arxiv(prose(inspect.getdoc(function) or ""))
    return f"From {code(function.__name__)} in {code(file)}:\n\n{said}"


def prose(docstring: str) -> str:
    """A docstring as Markdown: its indented lines become blocks of code."""
    return (
        INDENTED.sub(lambda f: f"```text\n{textwrap.dedent(f[0])}\n```", docstring.strip()) + "\n"
    )


def options(row: Objective) -> str:
    """The options of one method and their defaults."""
    found = row.options()
    if not found:
        return f"`{row.name}` has no options of its own.\n"
    rows = (
        (
            code(flag(name)),
            f"`{value}`" if row.choices(name) else f"`{value:g}`",
            " or ".join(code(word) for word in row.choices(name)) or OPTIONS[name].range,
            OPTIONS[name].help,
        )
        for name, value in found.items()
    )
    return table(("option", "default", "values", "what it is"), rows)


def figures(named: dict[str, str]) -> str:
    """What each logged figure means."""
    return table(("figure", "what it means"), ((code(n), text) for n, text in named.items()))


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


def of_method(row: Objective) -> dict[str, Callable[[], str]]:
    """The generated parts of a method's page."""
    return {
        f"summary-{row.name}": lambda: summary(row),
        f"equation-{row.name}": lambda: equation(row),
        f"options-{row.name}": lambda: options(row),
        f"figures-{row.name}": lambda: figures(figures_of(row.name, row.learns, row.view)),
    }


MADE: dict[str, Callable[[], str]] = {
    "tree": tree,
    "methods": methods,
    "settings": settings,
    "figures": lambda: figures(EVERY_METHOD),
    "group-formats": lambda: _formats(GROUP_FORMATS),
    "prompt-formats": lambda: _formats(PROMPT_FORMATS),
    "results": results,
}
for one in OBJECTIVES.values():
    MADE |= of_method(one)


def render(text: str) -> str:
    """The page with each generated part made anew."""
    return BLOCK.sub(lambda found: found[1] + MADE[found[2]]() + found[3], text)


def make_pages() -> list[Path]:
    """Every page of the docs, those of methods that had none among them."""
    METHODS.mkdir(exist_ok=True)
    text = NEW_PAGE.read_text(encoding="utf-8")
    for name in OBJECTIVES:
        if not (METHODS / f"{name}.md").exists():
            write_text(METHODS / f"{name}.md", text.replace("NAME", name))
    return sorted((ROOT / "docs").rglob("*.md"))


def main() -> int:
    for page in make_pages():
        before = page.read_text(encoding="utf-8")
        after = render(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(f"{page.relative_to(ROOT)}: written anew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
