"""The example of each method's page runs, and what it logs is what the page explains."""

from __future__ import annotations

import re
from pathlib import Path

import generate
import pytest
import tiny
from commands import shell_lines, suffrage_words

from suffrage.cli.main import main
from suffrage.core.files import read_jsonl, write_jsonl
from suffrage.core.records import Group, Judgment, JudgmentKind, Preference, SoftPair
from suffrage.data.read import write_groups
from suffrage.models.scalar_head import from_language_model
from suffrage.objectives.table import OBJECTIVES
from suffrage.train.figures import EVERY_METHOD, SOMETIMES, figures_of

STATED = [
    (page.stem, figure)
    for page in sorted(generate.METHODS.iterdir())
    for figure in re.findall(r"loss begins at (\d+(?:\.\d+)?)", page.read_text(encoding="utf-8"))
]


@pytest.fixture
def demo(tmp_path, monkeypatch) -> None:
    """What the demo leaves, as small as it can be; votes are unanimous, two answers a prompt."""
    folder = tmp_path / "demo" / "zh-0"
    folder.mkdir(parents=True)
    bundle = tiny.bundle()
    bundle.save(folder / "sft")
    from_language_model(bundle, seed=5).base.save(folder / "reward")
    sure = Preference(pairs=(SoftPair(first=0, second=1),))
    groups = [tiny.group(f"p{i}", f"ask {i}", ("ab ab", "sea"), sure) for i in range(10)]
    write_groups(folder / "preferences.jsonl", [voted(group) for group in groups])
    rated = [tiny.group(f"r{i}", f"ask {i}", ("ab ab", "sea"), Preference()) for i in range(10)]
    write_groups(tmp_path / "ratings.jsonl", [judged(group, "rating", 6) for group in rated])
    shown = Preference(demonstrations=(0,))
    shows = [tiny.group(f"d{i}", f"say {i}", ("ab",), shown) for i in range(10)]
    write_groups(folder / "demonstrations.jsonl", shows)
    write_jsonl(folder / "prompts.jsonl", ({"id": i, "prompt": f"why {i}?"} for i in range(10)))
    monkeypatch.chdir(tmp_path)


def voted(group: Group) -> Group:
    """Someone prefers the first answer, which is what the group's preference says."""
    names = tuple(completion.id for completion in group.completions)
    return judged(group, "pair", "a", names)


def judged(
    group: Group, kind: JudgmentKind, value: str | int, names: tuple[str, ...] | None = None
) -> Group:
    """The group with one judgment, of these completions or of the first."""
    one = Judgment(
        id="j",
        prompt_id=group.prompt.id,
        rater="Mei",
        kind=kind,
        value=value,
        completions=names or (group.completions[0].id,),
    )
    return group.model_copy(update={"judgments": (one,)})


def example(name: str) -> list[str]:
    """The words of the one command on a method's page."""
    (line,) = shell_lines(generate.METHODS / f"{name}.md")
    words = suffrage_words(line)
    assert words is not None
    assert words[:2] == ["train", name]
    return words


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.usefixtures("demo")
def test_the_example_runs_and_logs_what_the_page_explains(name, capsys):
    assert main([*example(name), "--holdout", "0.2"]) == 0, capsys.readouterr().err
    rows = list(read_jsonl(Path("runs", name, "metrics.jsonl")))
    row = OBJECTIVES[name]
    explained = {*EVERY_METHOD, *figures_of(row.name, row.learns, row.view)}
    logged = {figure for row in rows for figure in row}
    own = {figure for figure in logged if not figure.startswith("eval/")}
    assert explained - SOMETIMES <= own <= explained
    held_out = {figure.removeprefix("eval/") for figure in logged - explained}
    assert held_out
    assert held_out <= explained


@pytest.mark.parametrize(("name", "stated"), STATED)
@pytest.mark.usefixtures("demo")
def test_the_loss_begins_where_the_page_says(name, stated):
    fixed = ["--model", "demo/zh-0/sft", "--data", "demo/zh-0/preferences.jsonl", "--out", "new"]
    assert main(["train", name, *fixed]) == 0
    first = next(iter(read_jsonl(Path("new", "metrics.jsonl"))))
    assert first["loss"] == pytest.approx(float(stated), abs=6e-4)
