"""What a report finds, and the one sentence it says when something is wrong."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from page_reader import Page
from study_fixture import WORDS, groups, raters, stance, write_run, write_study

from suffrage.core.errors import DataError, RunError, SettingsError
from suffrage.core.files import to_line, write_json, write_jsonl
from suffrage.core.results import RatersResult, StanceResult, write_result
from suffrage.report import build_report
from suffrage.report.inputs import find_inputs

EN = WORDS["en"]


def test_folders_are_searched_and_foreign_files_passed_over(tmp_path: Path) -> None:
    study = write_study(tmp_path / "a" / "study")
    write_json(study / "dpo" / "config.json", {"model_type": "llama", "result": 3})
    write_json(study / "dpo" / "checkpoints" / "x.json", {"result": "raters"})
    (study / "notes.json").write_text("not json at all", encoding="utf-8")
    (study / "picture.png").write_bytes(b"\x89PNG\xff")
    inputs = find_inputs([tmp_path])
    assert [run.name for run in inputs.runs] == ["sft", "reward", "dpo", "ppo"]  # as they started
    assert len(inputs.groups) == 1
    assert len(inputs.results) == 7


def test_nothing_is_counted_twice(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study")
    link = tmp_path / "link"
    link.symlink_to(study, target_is_directory=True)
    inputs = find_inputs([study, study / "dpo", study / "results" / "raters.json", link])
    assert len(inputs.runs) == 4
    assert len(inputs.of(RatersResult)) == 1


def test_results_keep_the_order_they_were_given(tmp_path: Path) -> None:
    for name in ("z", "a"):
        result = stance(EN).model_copy(update={"question": name})
        write_result(tmp_path / f"{name}.json", result)
    inputs = find_inputs([tmp_path / "z.json", tmp_path / "a.json"])
    assert [result.question for result in inputs.of(StanceResult)] == ["z", "a"]


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for seed in ("seed1", "seed2"):
        write_run(tmp_path / seed / "dpo", "dpo")
    assert [run.name for run in find_inputs([tmp_path]).runs] == ["seed1/dpo", "seed2/dpo"]


def test_compressed_groups_are_read(tmp_path: Path) -> None:
    lines = "".join(to_line(group.to_json()) for group in groups(EN))
    (tmp_path / "votes.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    assert len(find_inputs([tmp_path]).groups[0].groups) == 3


def test_files_are_known_by_content_not_by_the_order_of_keys(tmp_path: Path) -> None:
    row = groups(EN)[0].to_json()
    write_jsonl(tmp_path / "g.jsonl", [dict(reversed(row.items()))])
    write_json(
        tmp_path / "r.json", dict(reversed({"result": "raters", **raters(EN).to_json()}.items()))
    )
    inputs = find_inputs([tmp_path])
    assert len(inputs.groups) == len(inputs.results) == 1


def test_dangling_links_and_pipes_are_passed_over(tmp_path: Path) -> None:
    write_result(tmp_path / "r.json", raters(EN))
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.json")
    assert len(find_inputs([tmp_path]).results) == 1


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "sft", finished=False)
    (run / "metrics.jsonl").write_text('{"step": 1, "loss": 2}\n{"step": 2, "lo', "utf-8")
    assert find_inputs([run]).runs[0].metrics == ({"step": 1, "loss": 2},)


def test_a_run_needs_no_more_than_its_settings_and_environment(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "sft", finished=False)
    (run / "metrics.jsonl").unlink()
    html = build_report([run], tmp_path / "r.html").read_text(encoding="utf-8")
    assert Page(html).sections == ["runs"]


def test_a_step_logged_twice_counts_as_logged_last(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "sft")
    write_jsonl(
        run / "metrics.jsonl", [{"step": s, "loss": v} for s, v in ((1, 4), (2, 9), (2, 3))]
    )
    html = build_report([run], tmp_path / "r.html").read_text(encoding="utf-8")
    assert "4 → 3" in html


BROKEN = {
    "settings.json": "{",
    "environment.json": "[1]",
    "metrics.jsonl": "nonsense\n{}\n",
    "done.json": "",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_of_a_run_is_named(name: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "sft")
    (run / name).write_text(BROKEN[name], encoding="utf-8")
    with pytest.raises(DataError, match=name):
        build_report([run], tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_a_broken_result_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"result": "raters", "alpha":', encoding="utf-8")
    with pytest.raises(DataError, match=r"x\.json"):
        find_inputs([tmp_path])


def test_an_unknown_result_suggests_the_nearest(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"result": "stanec"})
    with pytest.raises(DataError, match="did you mean 'stance'"):
        find_inputs([tmp_path])


def test_a_broken_group_names_its_row(tmp_path: Path) -> None:
    rows = [groups(EN)[0].to_json(), {"prompt": {"id": "p"}}]
    write_jsonl(tmp_path / "g.jsonl", rows)
    with pytest.raises(DataError, match=r"g\.jsonl, row 2: .*content"):
        find_inputs([tmp_path / "g.jsonl"])


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "is no list"), ("[1]", "row 1: lacks"), ('[{"prompt": "x"}]', "row 1: lacks")],
)
def test_responses_of_another_form_are_refused(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "responses.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        find_inputs([tmp_path])


def test_a_file_named_outright_must_be_ours(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": 1})
    with pytest.raises(DataError, match="is nothing a report shows"):
        find_inputs([tmp_path / "x.json"])


def test_a_missing_path_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        find_inputs([tmp_path / "nowhere"])


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing here that a report shows"):
        find_inputs([tmp_path])


def test_a_folder_as_output_is_refused(tmp_path: Path) -> None:
    write_result(tmp_path / "r.json", raters(EN))
    with pytest.raises(RunError, match=r"is a folder; name the page in it, such as .*report\.html"):
        build_report([tmp_path], tmp_path)


def test_an_unknown_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no report language 'fr'"):
        build_report([tmp_path], tmp_path / "r.html", lang="fr")  # type: ignore[arg-type]


def test_a_failed_build_leaves_the_old_page(tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    out.write_text("old", encoding="utf-8")
    with pytest.raises(DataError):
        build_report([tmp_path / "nowhere"], out)
    assert out.read_text(encoding="utf-8") == "old"
