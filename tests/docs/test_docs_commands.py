"""Every command the docs show parses, and those of the README and the assignment run."""

from __future__ import annotations

import importlib
import json
import math
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import tiny
from commands import PAGES, ROOT, inline_commands, shell_lines, suffrage_words

from suffrage.cli import label
from suffrage.cli.arguments import parse
from suffrage.cli.label import serve as serving
from suffrage.cli.main import VERBS, main
from suffrage.core.files import read_json, read_jsonl, write_json, write_jsonl
from suffrage.core.records import Preference
from suffrage.data.read import write_groups
from suffrage.demo.stages import STAGES
from suffrage.label.fill import fill
from suffrage.label.simulate import SimulatedRater
from suffrage.label.store.database import Store
from suffrage.train.settings import TrainSettings
from suffrage.worlds.adaptation import load_world

METHODS_PAGE = "".join(
    page.read_text(encoding="utf-8") for page in PAGES if "methods" in (page.stem, page.parent.name)
)
SHOWN = [(page.name, line) for page in PAGES for line in shell_lines(page)]
OURS = [(page, line) for page, line in SHOWN if suffrage_words(line) is not None]


class ParsedError(Exception):
    """Raised in place of running the verb."""


def words_parse(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the verb up to the point where its words were parsed."""

    def stop(parser, given):
        parse(parser, given)
        raise ParsedError

    module = module_of(words)
    monkeypatch.setattr(module, "parse", stop)
    with pytest.raises(ParsedError):
        module.run(words[2 if words[0] == "label" else 1 :])


def module_of(words: list[str]) -> ModuleType:
    """The module of the verb, or of the verb's own verb."""
    assert words[0] in VERBS, words
    name = f"label.{label.VERBS[words[1]][1]}" if words[0] == "label" else words[0]
    return importlib.import_module(f"suffrage.cli.{name}")


def test_each_verb_is_shown():
    shown = {(suffrage_words(line) or [""])[0] for _, line in OURS}
    assert shown == set(VERBS)


def test_both_readmes_show_the_same_commands():
    english, chinese = (
        [line.replace(" --lang zh", "") for line in shell_lines(ROOT / name)]
        for name in ("README.md", "README.zh-TW.md")
    )
    own = [line for line in chinese if line not in english]
    assert own == [".venv/bin/suffrage demo"]  # in Chinese, which an English system must be told
    assert [line for line in chinese if line in english] == english


@pytest.mark.parametrize("line", sorted({line for _, line in OURS}))
def test_commands_parse(line, monkeypatch):
    words_parse(suffrage_words(line) or [], monkeypatch)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_verbs_and_options_named_in_the_text_exist(page):
    known = METHODS_PAGE + "".join(
        file.read_text(encoding="utf-8") for file in (ROOT / "suffrage" / "cli").rglob("*.py")
    )
    for command in inline_commands(page):
        verb = command.split()[1]
        assert verb in VERBS or verb == "VERB" or verb.startswith("--"), command
        for option in re.findall(r"(?<!\S)--[a-z-]+", command):
            assert option in known or option == "--help", command


@pytest.mark.parametrize(("page", "line"), [pair for pair in SHOWN if pair not in OURS])
def test_other_commands_are_what_the_project_has(page, line):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    words = line.split()
    if words[0] == "make":
        assert set(words[1:]) <= set(targets)
    elif words[0] == ".venv/bin/python":
        module = Path(*words[2].split(".")).with_suffix(".py")
        assert words[1] == "-m"
        assert (ROOT / module).exists() or words[2] == "pytest"
    else:
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        tools = extras["project"]["optional-dependencies"]["dev"]
        tool = Path(words[0]).name
        assert any(name.startswith(tool) for name in tools), line


@pytest.fixture
def place(tmp_path) -> Path:
    """A new folder with everything that the commands of a page name, as small as it can be."""
    folder = tmp_path / "docs"
    folder.mkdir()
    model = tiny.bundle()
    sides = {"support": "yes", "oppose": "no"}
    asked = [{"id": i, "prompt": f"film it? {i}"} for i in range(1, 51)]
    for path in (folder, folder / "demo" / "zh-0"):
        model.save(path / ("my-model" if path == folder else "sft"))
        write_json(path / "labelled_data.json", [{**row, **sides} for row in asked])
        write_json(path / "test_prompt.json", asked[:10])
    groups = [tiny.group(f"p{i}", f"question {i}", ("yes", "no")) for i in range(10)]
    shown = Preference(demonstrations=(0,))
    demonstrations = [tiny.group(f"d{i}", f"ask {i}", ("yes",), shown) for i in range(4)]
    write_groups(folder / "my-demonstrations.jsonl", demonstrations)
    write_groups(folder / "my-pairs.jsonl", groups)
    plain = [group.model_copy(update={"preference": None}) for group in groups]
    write_groups(folder / "my-completions.jsonl", plain)
    write_jsonl(folder / "my-prompts.jsonl", [{"id": i, "prompt": f"why {i}?"} for i in range(3)])
    return folder


def people_come(store: Store, *_: object) -> None:
    """In place of serving the page: three raters vote on everything; one likes the opposite."""
    raters = [
        SimulatedRater(name=name, behaviour=behaviour, noise=0.1)
        for name, behaviour in (("Mei", "good"), ("Tom", "good"), ("Ana", "reversed"))
    ]
    fill(store, raters, lambda group, completion, rater: 5.0 * (completion.text == "yes"), seed=0)


def runnable(name: str) -> list[list[str]]:
    """The page's own commands, each once, but for the demo."""
    lines = dict.fromkeys(shell_lines(ROOT / name))
    found = [words for line in lines if (words := suffrage_words(line))]
    return [words for words in found if words[0] != "demo"]


def steps(rows: int) -> int:
    """Optimiser steps in an epoch of so many rows."""
    return math.ceil(rows / TrainSettings.model_fields["batch_size"].default)


def run_all(commands: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    for words in commands:
        assert main(words) == 0, (words, capsys.readouterr().err)


def test_the_readme_runs(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setattr(serving, "serve", people_come)
    monkeypatch.setattr(serving, "_check_free", lambda host, port: None)
    run_all(runnable("README.md"), capsys)
    said = capsys.readouterr().out
    assert "Krippendorff" in said
    assert "Ana" in Path("votes.html").read_text(encoding="utf-8")
    assert "my-dpo" in Path("report.html").read_text(encoding="utf-8")
    assert len(read_json(Path("responses.json"))) == 3
    assert read_json(Path("runs/from-votes/done.json"))["steps"] == steps(10)
    explained(Path("runs").glob("*/*.jsonl"))


def explained(logs) -> None:
    """Every figure a run logged is explained in the pages on methods."""
    figures = [log for log in logs if log.name != "samples.jsonl"]
    names = {name for log in figures for row in read_jsonl(log) for name in row}
    assert {"explained_variance", "margin", "grad_norm", "eval/accuracy"} <= names
    for name in names:
        assert f"`{name.removeprefix('eval/')}`" in METHODS_PAGE, f"{name} is not explained"


def test_the_assignment_runs(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    run_all(runnable("docs/assignments.md"), capsys)
    said = capsys.readouterr().out
    assert "the first 25 rows prefer the supporting answer, the other 25 the opposing one" in said
    for run, count in (("support", 50), ("oppose", 50), ("half", 50), ("few", 10)):
        assert read_json(Path("runs", run, "done.json"))["steps"] == 3 * steps(count)
        rows = read_json(Path("answers", run, "responses.json"))
        assert [row["id"] for row in rows] == list(range(1, 11))
        assert set(rows[0]) == {
            "id",
            "prompt",
            "response_from_original_model",
            "response_from_trained_model",
        }
    assert {len(row["completions"]) for row in read_jsonl(Path("answers/all.jsonl"))} == {5}
    assert "half" in Path("assignment.html").read_text(encoding="utf-8")


def test_the_world_writes_the_files_the_assignment_names(tmp_path):
    load_world("zh").write_files(tmp_path)
    rows, asked = (
        read_json(tmp_path / f"{name}.json") for name in ("labelled_data", "test_prompt")
    )
    assert (len(rows), set(rows[0])) == (50, {"id", "prompt", "support", "oppose"})
    assert (len(asked), set(asked[0])) == (10, {"id", "prompt"})


def test_the_readme_shows_each_stage_of_the_demo():
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"<!-- demo output -->\n```text\n(.*?)```", page, re.DOTALL)
    assert [line.split()[0] for line in shown.splitlines()] == [stage.name for stage in STAGES]


def test_the_example_of_responses_has_their_fields(place):
    written = read_json(place / "demo" / "zh-0" / "test_prompt.json")[0]
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```json responses\n(.*?)\n```", page, re.DOTALL)
    (row,) = json.loads(text)
    assert list(row)[:2] == list(written)


def test_no_setting_is_left_out_of_the_table():
    fixed = {"method", "model", "data", "options"}
    for name in set(TrainSettings.model_fields) - fixed:
        assert f"| `--{name.replace('_', '-')}` |" in METHODS_PAGE
