"""Methods that tell the model how good an answer is: what they read, learn, keep and forget."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch

from suffrage.cli.main import main
from suffrage.core.errors import DataError, ModelError
from suffrage.core.files import read_jsonl, write_jsonl
from suffrage.core.records import Group, Preference, Prompt, SoftPair
from suffrage.data.conditioning import ASKED_AFTER, CLASSES, WORDINGS, Condition
from suffrage.data.encode import Encoder
from suffrage.data.forest import pack
from suffrage.data.read import write_groups
from suffrage.models.forward import branch_sums, token_logps
from suffrage.models.generate import generate
from suffrage.models.language_model import LanguageModel, load
from suffrage.models.sample import Sampling
from suffrage.objectives.table import objective
from suffrage.train.examples import Example, make_examples
from suffrage.train.rl.run import train_online
from suffrage.train.run import train_offline

ENCODER = Encoder(tiny.tokenizer(), (2,), context=100)
KEPT = {"hindsight": ASKED_AFTER["comparisons"], "conditional": ASKED_AFTER["classes"]}
GREEDY = Sampling(max_new_tokens=8, temperature=0)


def paths(example: Example) -> list[str]:
    tree = example.tree
    return [ENCODER.tokenizer.decode([*tree.trunk, *b.tokens]) for b in tree.branches]


def test_hindsight_reads_a_sequence_for_each_decided_pair():
    given = tiny.group(
        "p", "sea?", ("one", "two", "six"),
        Preference(pairs=(
            SoftPair(first=0, second=1, probability=0.3),
            SoftPair(first=1, second=2, probability=0.5),
            SoftPair(first=2, second=0, probability=0.8),
        )),
    )  # fmt: skip
    (made,), note = make_examples([given], ENCODER, objective("hindsight"), seed=5)
    assert note == ""
    found = paths(made)
    assert [sorted(t for t in ("one", "two", "six") if t in path) for path in found] == [
        ["one", "two"],
        ["one", "six"],
    ]
    assert all(path.startswith("sea?\n") and path.count("</s>") == 2 for path in found)
    assert made.tree.scored == sum(made.lengths) == 4 * (3 + 1)  # letters and an end token
    drawn = {tuple(paths(make_examples([given], ENCODER, objective("hindsight"), seed=s)[0][0]))
             for s in range(12)}  # fmt: skip
    assert len(drawn) > 6


def test_conditional_reads_every_answer_behind_its_class():
    given = tiny.group("p", "sea?", ("one", "two", "six"), Preference(ranks=(3, 1, 2)))
    (made,), _ = make_examples([given], ENCODER, objective("conditional"))
    assert paths(made) == [
        "sea?\nA bad answer:\none</s>",
        "sea?\nA good answer:\ntwo</s>",
        "sea?\nA middling answer:\nsix</s>",
    ]
    assert made.worth == (0.0, 1.0, 0.5)
    assert made.lengths == [4, 4, 4]


@pytest.mark.parametrize("name", KEPT)
def test_groups_of_which_nothing_can_be_told_are_left_out(name):
    tie = tiny.group("t", "sea?", ("one", "two"), Preference(ranks=(1.5, 1.5)))
    split = SoftPair(first=0, second=1, probability=0.5)
    even = tiny.group("e", "sea?", ("one", "two"), Preference(pairs=(split,)))
    sure = tiny.group("s", "sea?", ("one", "two"), Preference(ranks=(2, 1)))
    long = tiny.group("l", "sea?" * 30, ("one", "two"), Preference(ranks=(2, 1)))
    made, note = make_examples(
        [tie, even, sure, long], replace(ENCODER, overlong="skip"), objective(name)
    )
    why = {"hindsight": "all completions tie", "conditional": "no completion stands out as good"}
    assert [example.prompt_id for example in made] == ["s"]
    assert f"2 rows left out: {why[name]}" in note
    assert "1 rows left out: longer than 100 tokens" in note


@pytest.mark.parametrize(
    ("name", "needed"), [("hindsight", "pairs"), ("conditional", "labels, scores or comparisons")]
)
def test_data_without_judgments_of_answers_is_refused(name, needed):
    shown = tiny.group("d", "sea?", ("one",), Preference(demonstrations=(0,)))
    with pytest.raises(DataError, match=rf"{name} learns from {needed}; every row .* sft"):
        make_examples([shown], ENCODER, objective(name))


def asked_by_hand(bundle: LanguageModel, prompt: Prompt, condition: Condition) -> str:
    """The answer to a prompt that ends with the phrase in its own text."""
    text = f"{prompt.content}\n{condition.phrase(prompt)}\n"
    ((only,),) = (
        g.completions
        for g in generate(
            replace(bundle, condition=None), [Prompt(id="x", content=text)], 1, GREEDY
        )
    )
    return only.text


@pytest.mark.parametrize("text", ["question 3?", "第三題？"])
@pytest.mark.parametrize("name", KEPT)
def test_the_phrase_is_kept_with_the_model_which_is_asked_after_it(settings, tmp_path, name, text):
    train_offline(settings(name, epochs=2, lr=1e-2), tmp_path / "run")
    bundle, prompt = load(tmp_path / "run", "cpu"), Prompt(id="p", content=text)
    assert bundle.condition == KEPT[name]
    card = (tmp_path / "run" / "model" / "README.md").read_text(encoding="utf-8")
    assert f"| end every prompt with | {KEPT[name].english} (in Chinese" in card
    (group,) = generate(bundle, [prompt], 1, GREEDY)
    assert group.prompt == prompt
    assert group.completions[0].text == asked_by_hand(bundle, prompt, KEPT[name])
    assert group.completions[0].settings["asked_after"] == KEPT[name].phrase(prompt)
    (bare,) = generate(replace(bundle, condition=None), [prompt], 1, GREEDY)
    assert "asked_after" not in bare.completions[0].settings
    assert bare.completions[0].id != group.completions[0].id


def contrasted(count: int) -> list[Group]:
    """Prompts whose good answer is always the same, and whose bad one too."""
    sure = Preference(pairs=(SoftPair(first=0, second=1),))
    return [tiny.group(f"p{i}", f"ask {i}?", ("yes, the sea", "no"), sure) for i in range(count)]


@pytest.mark.parametrize("name", KEPT)
def test_the_model_learns_which_answer_belongs_to_which_phrase(settings, tmp_path, name):
    write_groups(tmp_path / "pairs.jsonl", contrasted(24))
    data = {"data": str(tmp_path / "pairs.jsonl"), "epochs": 20, "lr": 1e-2}
    train_offline(settings(name, **data), tmp_path / "run")
    bundle = load(tmp_path / "run", "cpu")
    unseen = tiny.group("new", "ask 77?", ("yes, the sea", "no"), Preference())
    margins = []
    bad = WORDINGS[0][1] if name == "hindsight" else CLASSES[0.0]
    for condition in (bundle.condition, bad):
        tree = replace(bundle.encoder(), condition=condition).tree(unseen)
        assert tree is not None
        with torch.no_grad():
            forest = pack([tree], bundle.layout)
            good, poor = branch_sums(token_logps(bundle.model, forest), forest).tolist()
        margins.append(good - poor)
    assert margins[0] > 1
    assert margins[1] < -1


PHRASE = "answers after 'A helpful answer:'; {} read its prompts without it"


@pytest.fixture
def hindsight_run(settings, tmp_path) -> str:
    train_offline(settings("hindsight"), tmp_path / "hindsight")
    return str(tmp_path / "hindsight")


def test_another_method_trained_on_forgets_the_phrase_and_says_so(
    settings, tmp_path, hindsight_run, reward_folder
):
    finished = train_offline(settings("dpo", model=hindsight_run), tmp_path / "dpo")
    assert any(PHRASE.format("dpo") in note for note in finished.notes)
    short = {"options": {"samples": 2, "max_new_tokens": 4}, "epochs": 1, "batch_size": 10}
    finished = train_online(
        settings("ppo", model=hindsight_run, **short), str(reward_folder), tmp_path / "ppo"
    )
    assert any(PHRASE.format("ppo") in note for note in finished.notes)
    train_offline(settings("reward", model=hindsight_run), tmp_path / "reward")
    for name in ("dpo", "ppo", "reward"):
        assert not (tmp_path / name / "model" / "suffrage.json").exists()
    assert load(tmp_path / "dpo", "cpu").condition is None


def test_training_reads_prompts_without_the_phrase_of_its_start(settings, tmp_path, hindsight_run):
    bare = tmp_path / "bare"
    load(hindsight_run, "cpu").model.save_pretrained(bare)
    load(hindsight_run, "cpu").tokenizer.save_pretrained(bare)
    for name, model in (("asked", hindsight_run), ("not", str(bare))):
        train_offline(settings("dpo", model=model), tmp_path / name)
    rows = [list(read_jsonl(tmp_path / name / "metrics.jsonl")) for name in ("asked", "not")]
    assert rows[0] == rows[1]


def test_a_method_with_a_phrase_of_its_own_puts_it_in_the_place_of_the_old(
    settings, tmp_path, hindsight_run
):
    finished = train_offline(settings("conditional", model=hindsight_run), tmp_path / "run")
    assert load(tmp_path / "run", "cpu").condition == KEPT["conditional"]
    assert not any("answers after" in note for note in finished.notes)


@pytest.mark.parametrize(
    "changes", [{"adapter": "lora"}, {"adapter": "lora", "save": "merged"}, {"adapter": "prompt"}]
)
def test_an_adapter_keeps_its_own_phrase_and_not_that_of_its_base(
    settings, tmp_path, hindsight_run, changes
):
    train_offline(settings("conditional", model=hindsight_run, **changes), tmp_path / "told")
    train_offline(settings("sft", model=hindsight_run, **changes), tmp_path / "plain")
    assert load(tmp_path / "told", "cpu").condition == KEPT["conditional"]
    assert load(tmp_path / "plain", "cpu").condition is None
    assert load(hindsight_run, "cpu").condition == KEPT["hindsight"]


def test_a_damaged_phrase_is_named(settings, tmp_path, hindsight_run):
    Path(hindsight_run, "model", "suffrage.json").write_text("{}")
    with pytest.raises(ModelError, match=r"suffrage\.json is damaged"):
        load(hindsight_run, "cpu")


def test_the_command_line_asks_after_the_phrase_unless_told_otherwise(
    tmp_path, hindsight_run, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "prompts.jsonl", [{"id": "a", "prompt": "question 1?"}])

    def answer(*words: str) -> tuple[str, str | None]:
        line = f"generate --model {hindsight_run} --prompts prompts.jsonl --out out.jsonl"
        fixed = "--temperature 0 --max-new-tokens 8 --device cpu --overwrite --json"
        assert main([*line.split(), *fixed.split(), *words]) == 0, capsys.readouterr().err
        (row,) = read_jsonl(tmp_path / "out.jsonl")
        (completion,) = row["completions"]
        return completion["text"], completion["settings"].get("asked_after")

    bundle, prompt = load(hindsight_run, "cpu"), Prompt(id="a", content="question 1?")
    other = Condition("Now then:", "Now then:")
    assert answer() == (asked_by_hand(bundle, prompt, KEPT["hindsight"]), "A helpful answer:")
    assert answer("--ask-after", "Now then:") == (asked_by_hand(bundle, prompt, other), "Now then:")
    (bare,) = generate(replace(bundle, condition=None), [prompt], 1, GREEDY)
    assert answer("--ask-after", "") == (bare.completions[0].text, None)


def test_the_settings_of_a_run_tell_the_phrase_of_its_model(settings, tmp_path, hindsight_run):
    """The key of the model to start from covers its phrase: another phrase is another model."""
    train_offline(settings("dpo", model=hindsight_run), tmp_path / "one")
    file = Path(hindsight_run, "model", "suffrage.json")
    kept = json.loads(file.read_text(encoding="utf-8"))
    kept["condition"]["english"] = "Another:"
    file.write_text(json.dumps(kept), encoding="utf-8")
    train_offline(settings("dpo", model=hindsight_run), tmp_path / "two")
    keys = [
        json.loads((tmp_path / n / "settings.json").read_text())["model_key"]
        for n in ("one", "two")
    ]
    assert keys[0] != keys[1]
