"""What the pages say of files, records and tables is so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import generate
import pytest
import yaml
from commands import PAGES, ROOT, Block, blocks

import suffrage.core.records
import suffrage.core.results
from suffrage.core.files import write_text
from suffrage.data.preferences import consensus
from suffrage.data.read import read_groups, read_prompts
from suffrage.data.readers.table import GROUP_FORMATS, PROMPT_FORMATS
from suffrage.objectives.table import OBJECTIVES
from suffrage.train.settings import TrainSettings

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# A path of this project, named as code.
NAMED = re.compile(r"`((?:suffrage|docs|tests|benchmarks)/[\w./-]*)`")
FORMATS = ROOT / "docs" / "formats.md"
RECORDS = ("Group", "Prompt", "Completion", "Judgment", "Preference", "RatersResult")


def page_named(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """What a heading is called in a link, as GitHub makes it."""
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    heads = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links to {target}"
        assert file.is_relative_to(ROOT), f"{page.name} links out of the project: {target}"
        assert not anchor or anchor in anchors(file), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_exist(page):
    for name in NAMED.findall(page.read_text(encoding="utf-8")):
        assert (ROOT / name).exists(), f"{page.name} names {name}"


@pytest.mark.parametrize("page", generate.PAGES, ids=lambda page: page.name)
def test_generated_parts_are_up_to_date(page):
    text = page.read_text(encoding="utf-8")
    assert generate.render(text) == text, "run `python -m tests.docs.generate`"


def test_every_generated_part_stands_on_a_page():
    text = "".join(page.read_text(encoding="utf-8") for page in generate.PAGES)
    used = [name for _, name, _ in generate.BLOCK.findall(text)]
    assert sorted(used) == sorted(generate.MADE)
    assert text.count("<!-- /generated -->") == len(used)


def section(page: Path, head: str) -> str:
    """The text of a page between this heading and the next."""
    (_, text) = page.read_text(encoding="utf-8").split(f"## {head}\n")
    return text.partition("\n## ")[0].strip()


def test_each_method_has_a_page_and_each_page_a_method():
    assert {page.stem for page in generate.METHODS.iterdir()} == set(OBJECTIVES)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_page_says_when_to_use_its_method(name):
    when = section(generate.METHODS / f"{name}.md", "When to use it")
    assert 2 <= when.count(". ") + when.count(".\n") + 1 <= 9, f"write when to use {name}"


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_page_names_options_that_the_method_or_one_it_points_to_has(name):
    text = (generate.METHODS / f"{name}.md").read_text(encoding="utf-8")
    near = {name, *re.findall(r"\]\(([\w-]+)\.md\)", text)}
    own = {option for other in near for option in OBJECTIVES[other].options()}
    known = {generate.flag(option) for option in own | set(TrainSettings.model_fields)}
    for option in re.findall(r"`(--[a-z-]+)", text):
        assert option in known | {"--reward"}, f"{name}: {option}"


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_table_of_choices_names_every_method(name):
    assert f"(methods/{name}.md)" in section(ROOT / "docs" / "methods.md", "How to choose")


def test_the_indented_lines_of_a_docstring_become_a_block_of_code():
    made = generate.prose("A loss (2301.12345).\n\n    L = 2 r\n\n      + c\n\nr: (B,).\n")
    assert made == "A loss (2301.12345).\n\n```text\nL = 2 r\n\n  + c\n```\n\nr: (B,).\n"
    assert generate.arxiv("see 2301.12345, 3.14") == (
        "see [2301.12345](https://arxiv.org/abs/2301.12345), 3.14"
    )


def test_a_method_without_a_page_gets_one(tmp_path, monkeypatch):
    monkeypatch.setattr(generate, "METHODS", tmp_path / "methods")
    generate.make_pages()
    page = tmp_path / "methods" / "ipo.md"
    assert section(page, "When to use it") == ""
    parts = set(generate.of_method(OBJECTIVES["ipo"]))
    text = page.read_text(encoding="utf-8")
    assert {name for _, name, _ in generate.BLOCK.findall(text)} == parts
    page.write_text("mine", encoding="utf-8")
    generate.make_pages()
    assert page.read_text(encoding="utf-8") == "mine"


def test_the_tree_lists_every_file_and_no_other():
    listed: list[str] = []
    folders: list[str] = []
    for line in generate.tree().splitlines()[1:-1]:
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        folders = [*folders[:depth], name]
        listed.append("".join(folders))
        assert name == "suffrage/" or len(line.split()) > 2, f"{name} has no phrase"
    there = {
        str(file.relative_to(ROOT)).replace("__init__.py", "")
        for file in (ROOT / "suffrage").rglob("*.py")
    }
    assert set(listed) - {"suffrage/__init__.py"} == there
    assert len(listed) == len(set(listed))


def json_blocks(names: object) -> list[Block]:
    found = [block for block in blocks(FORMATS) if block.info.startswith("json ")]
    return [block for block in found if block.info.removeprefix("json ") in names]  # type: ignore[operator]


@pytest.mark.parametrize("block", json_blocks(RECORDS), ids=lambda block: block.info)
def test_examples_of_records_are_exact(block):
    name = block.info.removeprefix("json ")
    kind = getattr(suffrage.core.records, name, None) or getattr(suffrage.core.results, name)
    for line in block.text.splitlines():
        value = json.loads(line)
        record = kind.from_json(value)
        assert kind.from_json(record.to_json()) == record


def test_there_is_an_example_of_each_judgment_and_record():
    assert {block.info.removeprefix("json ") for block in json_blocks(RECORDS)} == set(RECORDS)
    (judgments,) = json_blocks(("Judgment",))
    kinds = {json.loads(line)["kind"] for line in judgments.text.splitlines()}
    assert kinds == set(suffrage.core.records._CHECKS)


@pytest.mark.parametrize("form", [*GROUP_FORMATS, *PROMPT_FORMATS], ids=lambda form: form.name)
def test_examples_of_formats_are_taken_for_what_they_are(form, tmp_path):
    (block,) = json_blocks((form.name,))
    file = tmp_path / "example.jsonl"
    write_text(file, block.text)
    rows, report = read_prompts(file) if form in PROMPT_FORMATS else read_groups(file)
    assert report.format == form.name
    assert len(rows) == len(block.text.splitlines())
    if form in GROUP_FORMATS:
        filled = {view for group in map(consensus, rows) for view in group.preference.to_json()}
        assert filled
        assert filled <= set(form.views)


def test_hooks_run_tools_of_the_environment():
    hooks = [
        hook
        for repo in yaml.safe_load(page_named(".pre-commit-config.yaml"))["repos"]
        for hook in repo["hooks"]
    ]
    assert {hook["id"] for hook in hooks} == {"ruff", "ruff-format", "mypy", "floors"}
    checks = re.findall(r"\$\(BIN\)/([\w-]+)", page_named("Makefile").split("check:")[1])
    for hook in hooks:
        assert hook["language"] == "system"
        assert hook["entry"].split()[0].removeprefix(".venv/bin/") in checks


def test_the_picture_is_one():
    raw = (ROOT / "docs" / "images" / "report.png").read_bytes()
    width = int.from_bytes(raw[16:20], "big")
    assert raw.startswith(b"\x89PNG")
    assert width >= 1000
