"""Every verb on tiny models, for people and with --json: what it prints and what it writes."""

from __future__ import annotations

import json
import typing
from pathlib import Path

import pytest
import tiny

from suffrage.cli.arguments import DEVICES, parse
from suffrage.cli.train import FOR_ANSWERS, FOR_SAMPLERS, _parser, _settings
from suffrage.core.records import Completion, Group, Judgment, Prompt
from suffrage.data.encode import Encoder
from suffrage.data.preferences import consensus
from suffrage.data.read import read_groups, write_groups
from suffrage.models import language_model
from suffrage.models.endpoint import Answer
from suffrage.objectives.options import OPTIONS
from suffrage.objectives.table import OBJECTIVES, objective
from suffrage.train.settings import TrainSettings, learning_rate

METHODS = {
    "sft": "--data pairs.jsonl",
    "reward": "--data pairs.jsonl --holdout .25",
    "dpo": "--data labelled.json --data-size 10 --support-ratio .5",
    "ppo": "--data prompts.json --reward rm --max-new-tokens 8",
}


def feedback(path: Path, raters: list[str], *, last: str = "b", others: str = "a") -> None:
    """Three prompts with two answers, and what the last rater and the others say of them."""
    groups = []
    for i in range(3):
        prompt = Prompt(id=f"p{i}", content=f"題目 {i}")
        ids = (f"p{i}-a", f"p{i}-b")
        answers = tuple(Completion(id=name, prompt_id=prompt.id, text=name) for name in ids)
        judgments = tuple(
            Judgment(
                id=f"{i}-{k}",
                prompt_id=prompt.id,
                rater=rater,
                kind="pair",
                value=last if k == len(raters) - 1 else others,
                completions=ids,
            )
            for k, rater in enumerate(raters)
        )
        groups.append(Group(prompt=prompt, completions=answers, judgments=judgments))
    write_groups(path, groups)


@pytest.mark.parametrize("method", METHODS)
def test_training_leaves_a_run_and_tells_its_figures(suffrage, home, method):
    words = f"train {method} --model m --out run --batch-size 4 {METHODS[method]}"
    status, out, err = suffrage(words + " --json")
    assert (status, err) == (0, "")
    said = json.loads(out)
    assert said["out"] == "run"
    assert said["reused"] is False
    assert said["metrics"]["step"] == json.loads((home / "run" / "done.json").read_text())["steps"]
    assert any("rows kept" in note for note in said["notes"])
    resolved = json.loads((home / "run" / "settings.json").read_text())["resolved"]
    smallest = learning_rate(method, 1_000_000)  # the tiny model has fewer than 1 M parameters
    assert (resolved["lr"], resolved["layout"]) == (smallest, "row")
    written = {path.name for path in (home / "run").iterdir()}
    assert written == {
        "settings.json",
        "environment.json",
        "metrics.jsonl",
        "timing.jsonl",
        "model",
        "done.json",
    }
    again = json.loads(suffrage(words + " --json").out)
    assert (again["reused"], again["metrics"]) == (True, said["metrics"])


def test_held_out_accuracy_is_reported(suffrage, home):
    status, out, _ = suffrage("train dpo --model m --out run --data pairs.jsonl --holdout .25")
    assert status == 0
    assert "pairs.jsonl: TRL preference, 12 of 12 rows kept\n" in out
    assert "eval/accuracy" in out.splitlines()[-1]


def test_a_stance_file_says_whom_its_rows_prefer(suffrage, home):
    words = "train dpo --model m --out run --data labelled.json --data-size 10 --support-ratio .3"
    out = suffrage(words).out
    assert "the first 3 rows prefer the supporting answer, the other 7 the opposing one" in out


def test_generate_writes_groups_and_shows_them(suffrage, home):
    words = "generate --model m --prompts prompts.json -n 3 --max-new-tokens 6 --out g.jsonl"
    status, out, err = suffrage(words)
    assert (status, err) == (0, "")
    assert "prompts.json: prompts, 3 of 3 rows kept" in out
    assert out.splitlines()[-1] == "g.jsonl: 3 prompts, 3 answers each from m"
    rows = [json.loads(line) for line in (home / "g.jsonl").read_text().splitlines()]
    assert [len(row["completions"]) for row in rows] == [3, 3, 3]
    assert [row["prompt"]["id"] for row in rows] == ["7", "q-3", "5"]
    said = json.loads(suffrage(words + " --overwrite --json").out)
    assert said == {"out": "g.jsonl", "prompts": 3, "left_out": 0, "models": ["m"]}


def test_two_models_answer_side_by_side_in_the_form_the_assignment_asks_for(suffrage, home):
    tiny.saved(home / "trained", seed=1)
    words = "generate --model m --model trained --prompts prompts.json --max-new-tokens 6"
    status, out, _ = suffrage(f"{words} --out responses.json")
    assert status == 0
    rows = json.loads((home / "responses.json").read_text("utf-8"))
    keys = ["id", "prompt", "response_from_original_model", "response_from_trained_model"]
    assert [list(row) for row in rows] == [keys] * 3
    assert [row["id"] for row in rows] == [7, "q-3", 5]  # as the file has them, number or text
    assert [row["prompt"] for row in rows] == ["真人版 7? ", "真人版 q-3? ", "真人版 5? "]
    for name, key in (("m", keys[2]), ("trained", keys[3])):
        one = f"generate --model {name} --prompts prompts.json --max-new-tokens 6"
        assert suffrage(f"{one} --out {name}.jsonl").status == 0
        alone = [json.loads(line) for line in (home / f"{name}.jsonl").read_text().splitlines()]
        assert [row["completions"][0]["text"] for row in alone] == [row[key] for row in rows]
    assert all(text in out for text in ("真人版 q-3?", "  m: ", "  trained: "))
    said = json.loads(suffrage(f"{words} --out responses.json --overwrite --json").out)
    assert said["models"] == ["m", "trained"]


def test_models_of_different_contexts_answer_the_prompts_both_can_take(suffrage, home):
    tiny.bundle(max_position_embeddings=64).save(home / "short")
    rows = [{"id": 1, "prompt": "ab"}, {"id": 2, "prompt": "ab " * 35}]
    (home / "two.json").write_text(json.dumps(rows))
    words = "generate --model m --model short --prompts two.json --max-new-tokens 6 --out r.json"
    words += " --overwrite"
    status, out, _ = suffrage(words + " --overlong skip")
    assert status == 0
    assert "left out as too long for a model's context: 1\n" in out
    assert [row["id"] for row in json.loads((home / "r.json").read_text())] == [1]
    assert suffrage(words).status == 2
    assert suffrage(words + " --overlong cut").status == 0
    assert [row["id"] for row in json.loads((home / "r.json").read_text())] == [1, 2]


def test_agree_tells_writes_and_is_not_driven_by_a_raters_name(suffrage, home):
    feedback(home / "f.jsonl", ["ann", "[red]bob[/]", "\x1b[2J]", "[/nothing]"])
    status, out, err = suffrage("agree f.jsonl --out raters.json --consensus c.jsonl")
    assert (status, err) == (0, "")
    assert "12 judgments of 3 prompts" in out
    assert all(name in out for name in ("ann", "[red]bob[/]", "[/nothing]"))
    assert "\x1b[2J" not in out
    said = json.loads(suffrage("agree f.jsonl --json").out)
    assert said["judgments"] == 12
    # of four raters three agree: 3 of the 6 pairs of raters choose alike
    assert said["pair_agreement"]["value"] == pytest.approx(0.5)
    groups, _ = read_groups(home / "c.jsonl")
    assert [pair.probability for pair in groups[0].preference.pairs] == [pytest.approx(0.75)]
    written = json.loads((home / "raters.json").read_text())
    assert {**said, "result": "raters"} == written
    assert set(written["coefficients"]) == {"percent", "fleiss", "gwet_ac1"}
    assert {"value", "low", "high"} <= set(written["coefficients"]["percent"])
    assert suffrage("report raters.json --out page.html").status == 0


def test_a_weighted_consensus_reaches_training_as_it_is(suffrage, home):
    feedback(home / "f.jsonl", ["ann", "bob", "cid", "turned round"])
    words = "agree f.jsonl --consensus c.jsonl --weights reliability"
    assert suffrage(words).status == 0
    groups, _ = read_groups(home / "c.jsonl")
    assert [pair.probability for group in groups for pair in group.preference.pairs] == [1.0] * 3
    assert groups[0].preference.raters["turned round"] == 0
    assert [consensus(group) for group in groups] == groups  # what training makes of it
    assert suffrage("agree c.jsonl --consensus e.jsonl").status == 0
    assert read_groups(home / "e.jsonl")[0][0].preference.raters == {}  # equal again


def test_agree_says_once_why_a_figure_is_undefined(suffrage, home):
    feedback(home / "ties.jsonl", ["ann", "bob", "小明"], last="tie", others="tie")
    out = suffrage("agree ties.jsonl").out
    said = "Krippendorff's alpha (nominal): undefined (only one value was ever given)\n"
    assert said in out
    assert "two raters choose alike: 1.00 [" in out


def test_nothing_that_generate_shows_drives_the_terminal(suffrage, home, monkeypatch):
    """ESC, CSI and a carriage return in a prompt; ESC in the model's name and in its answer."""
    monkeypatch.setattr(Encoder, "text", lambda *_: "hostile \x1b[2J answer")
    (home / "evil\x1b[2J").symlink_to("m")
    rows = [{"prompt": "clear \x1b[2J and \x9b31m and [bold]mark\r up"}]
    (home / "evil.json").write_text(json.dumps(rows))
    words = "generate --prompts evil.json --max-new-tokens 6 --out g.jsonl"
    status, out, _ = suffrage(*words.split(), "--model", "evil\x1b[2J")
    assert status == 0
    assert "clear \ufffd[2J and \ufffd31m and [bold]mark\ufffd up" in out
    assert "  evil\ufffd[2J: hostile \ufffd[2J answer" in out
    assert not {"\x1b", "\x9b", "\r"} & set(out)


def test_generate_takes_the_options_of_sampling(suffrage, home):
    words = "generate --model m --prompts prompts.json --max-new-tokens 8 --out g.jsonl -n 2"
    further = "--min-p 0.1 --repetition-penalty 1.2 --min-new-tokens 3 --suppress-tokens 70 71"
    stops = ["--stop", "the ", "--stop", "中"]
    assert suffrage(*words.split(), *further.split(), *stops).status == 0
    rows = [json.loads(line) for line in (home / "g.jsonl").read_text().splitlines()]
    for completion in (c for row in rows for c in row["completions"]):
        settings = completion["settings"]
        assert (settings["min_p"], settings["repetition_penalty"]) == (0.1, 1.2)
        assert (settings["min_new_tokens"], settings["suppress_tokens"]) == (3, [70, 71])
        assert settings["stop"] == ["the ", "中"]


def test_generate_asks_a_server(suffrage, home, monkeypatch):
    asked = []

    def answer(endpoint, prompts, n, sampling):
        asked.append((endpoint, sampling))
        return [[Answer(f"{prompt.text}!", k == 0) for k in range(n)] for prompt in prompts]

    monkeypatch.setattr("suffrage.models.generate.ask", answer)
    name = "http://localhost:1/v1#tiny"
    words = f"generate --model {name} --model m --prompts prompts.json --out g.jsonl -n 2"
    status, out, err = suffrage(words + " --requests 3 --temperature 0.2 --max-new-tokens 5")
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == f"g.jsonl: 3 prompts, 2 answers each from {name} and m"
    ((endpoint, sampling),) = asked
    assert (endpoint.url, endpoint.model, endpoint.requests) == ("http://localhost:1/v1", "tiny", 3)
    assert (sampling.temperature, sampling.max_new_tokens) == (0.2, 5)
    rows = [json.loads(line) for line in (home / "g.jsonl").read_text().splitlines()]
    assert [c["source"] for c in rows[0]["completions"]] == [name, name, "m", "m"]
    assert [c["settings"]["finished"] for c in rows[0]["completions"]][:2] == [True, False]
    status, _, err = suffrage("generate --model http://h/v1 --prompts prompts.json --out h.jsonl")
    assert status == 2
    assert "http://h/v1 names no model; write" in err


def test_generate_computes_on_the_device_that_is_named(suffrage, home, monkeypatch):
    def choose() -> None:
        raise AssertionError("no device is to be chosen where one is named")

    monkeypatch.setattr(language_model, "pick_device", choose)
    words = "generate --model m --prompts prompts.json --max-new-tokens 6 --out g.jsonl"
    assert suffrage(words + " --device cpu").status == 0
    assert typing.get_args(TrainSettings.model_fields["device"].annotation) == DEVICES


def test_report_names_its_page(suffrage, home):
    suffrage("train sft --model m --data pairs.jsonl --out run")
    status, out, err = suffrage("report run --out page.html")
    assert (status, out, err) == (0, "page.html: open it in a browser\n", "")
    assert (home / "page.html").read_text("utf-8").lower().startswith("<!doctype html>")
    assert json.loads(suffrage("report run --out page.html --overwrite --json").out) == {
        "out": "page.html"
    }


def test_every_option_of_every_method_has_a_row_and_no_row_is_left_over():
    used = {name for row in OBJECTIVES.values() for name in row.options()}
    assert used == set(OPTIONS)
    for row in OBJECTIVES.values():
        assert row.check(row.options()) == row.options()  # the defaults lie in their ranges


@pytest.mark.parametrize("method", OBJECTIVES)
def test_help_explains_every_option(suffrage, capsys, method):
    with pytest.raises(SystemExit) as stopped:
        suffrage(f"train {method} --help")
    assert stopped.value.code == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "(default: None)" not in words
    row = OBJECTIVES[method]
    for name, default in row.options().items():
        choices = row.choices(name)
        value = f"{{{','.join(choices)}}}" if choices else name.upper()
        meaning = "; ".join(filter(None, (OPTIONS[name].help, OPTIONS[name].range)))
        assert f"--{name.replace('_', '-')} {value} {meaning} (default: {default})" in words
    skipped = FOR_ANSWERS if row.view == "prompts" else FOR_SAMPLERS
    skipped += () if method == "ppo" or "pretraining" in skipped else ("pretraining",)
    skipped += ("kl", "watch_kl") if row.learns == "reward" else ("heads",)
    for name, field in TrainSettings.model_fields.items():
        if field.description:
            assert (field.description in words) is (name not in skipped)


def test_the_overview_lists_every_verb_and_method(suffrage):
    out = suffrage("--help").out
    assert all(f"\n  {verb} " in out for verb in ("demo", "train", "generate", "agree", "report"))
    out = suffrage("train", "--help").out
    assert all(f"\n  {name} " in out for name in OBJECTIVES)
    assert suffrage("--version").out.startswith("suffrage ")


@pytest.mark.parametrize(
    ("method", "words", "setting", "value"),
    [
        ("reward", ["--groups", "3"], "heads", "groups:3"),
        ("reward", ["--groups", "auto"], "heads", "groups:auto"),
        ("reward", [], "heads", "one"),
        ("ppo", ["--objective", "maxmin"], "combine", "maxmin"),
    ],
)
def test_further_names_of_options(method, words, setting, value):
    row = objective(method)
    given = ["--model", "m", "--data", "d", "--out", "o", *words]
    made = _settings(row, parse(_parser(row), given))
    assert {**made.model_dump(), **made.options}[setting] == value
