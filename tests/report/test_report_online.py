"""Runs that sample: the frontier over anchors, and the answers as training went on."""

from __future__ import annotations

import json
from pathlib import Path

from suffrage.report import build_report
from suffrage.report.collect.frontier import frontiers
from suffrage.report.collect.samples import moments
from suffrage.report.inputs import find_inputs


def run(place: Path, strength: float, reward: float, kl: float, **settings: object) -> Path:
    """A finished run of RLOO under one anchor."""
    options = {"kl_coef": strength, "samples": 4}
    given = {"verb": "train", "method": "rloo", "data": "p.jsonl", "options": options, **settings}
    interval = {"eval/reward_low": reward - 0.1, "eval/reward_high": reward + 0.1}
    metrics = {"step": 9, "eval/reward": reward, "eval/kl": kl, **interval}
    place.mkdir(parents=True)
    for name, content in (("settings", given), ("done", {"metrics": metrics})):
        (place / f"{name}.json").write_text(json.dumps(content))
    (place / "metrics.jsonl").write_text(json.dumps(metrics) + "\n")
    return place


def test_runs_that_differ_in_their_anchor_alone_make_a_frontier(tmp_path):
    run(tmp_path / "strong", 0.2, 0.5, 1.0)
    run(tmp_path / "weak", 0.02, 0.75, 6.0)
    run(tmp_path / "other-data", 0.1, 0.9, 3.0, data="q.jsonl")
    run(tmp_path / "unfinished", 0.5, 0.4, 0.3)
    (tmp_path / "unfinished" / "done.json").unlink()
    (found,) = frontiers(find_inputs([tmp_path]))
    assert [(p.run, p.strength, p.kl, p.reward) for p in found] == [
        ("weak", 0.02, 6.0, 0.75),
        ("strong", 0.2, 1.0, 0.5),
    ]
    page = build_report([tmp_path], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "0.75 [0.65, 0.85]" in page
    assert "is that of kl_coef 0.02, at a KL of 6" in page


def test_one_run_is_no_frontier(tmp_path):
    run(tmp_path / "one", 0.2, 0.5, 1.0)
    assert frontiers(find_inputs([tmp_path])) == []


def test_answers_are_shown_by_step_and_hostile_ones_inert(tmp_path):
    place = run(tmp_path / "one", 0.2, 0.5, 1.0)
    rows = [
        {"step": step, "prompt": "要支持嗎？", "completion": text, "rewards": {"r": reward}}
        for step, text, reward in ((0, "不。", -1.5), (9, "<script>alert(1)</script>", None))
    ]
    torn = '{"step": 12, "prom'
    lines = "\n".join([json.dumps({"step": 1}), *map(json.dumps, rows), torn])
    (place / "samples.jsonl").write_text(lines)
    page = build_report([tmp_path], tmp_path / "page.html", lang="zh").read_text(encoding="utf-8")
    assert page.count("要支持嗎？") == 1
    assert page.index("第 0 步") < page.index("不。") < page.index("第 9 步")
    assert "−1.5" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page


def test_of_many_moments_the_first_and_the_last_stay():
    assert moments([0, 10, 20]) == {0, 10, 20}
    assert moments(list(range(0, 101))) == {0, 20, 40, 60, 80, 100}
    assert moments([]) == set()


def test_the_share_of_answers_that_were_cut_is_drawn(tmp_path):
    place = run(tmp_path / "one", 0.2, 0.5, 1.0)
    rows = [{"step": step, "kl": 0.1, "unfinished": 0.125 * step} for step in (1, 2, 3)]
    (place / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    page = build_report([tmp_path], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Unfinished share" in page
    assert "0.125" in page
    assert "0.375" in page
