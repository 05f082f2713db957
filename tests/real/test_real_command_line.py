"""Small models and data of others through the command line, end to end; skipped where absent."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from suffrage.cli.main import main
from suffrage.core.records import Completion, Group, Prompt
from suffrage.core.runs import RunDirectory
from suffrage.models.language_model import load
from suffrage.models.scalar_head import from_language_model, score_trees

Command = Callable[[str], dict[str, object]]
SHORT = " --overlong cut --max-length 96 --json"


@pytest.fixture
def suffrage(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    real_path: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    """Run a command in an empty folder; `S`, `G` and `D/...` stand for the material."""
    places = {"S": "models/stories260K", "G": "models/gpt2_byte_951k"}
    monkeypatch.chdir(tmp_path)

    def place(word: str) -> str:
        if word in places:
            return str(real_path(places[word]))
        return str(real_path("data/" + word[2:])) if word.startswith("D/") else word

    def run(line: str) -> dict[str, object]:
        capsys.readouterr()
        status = main([place(word) for word in line.split()])
        out, err = capsys.readouterr()
        assert status == 0, err
        assert all(line.startswith("at step ") for line in err.splitlines())  # advice, no more
        said: dict[str, object] = json.loads(out)
        return said

    return run


@pytest.mark.parametrize("model", ["S", "G"])
def test_dpo_on_dialogues_reports_dirty_rows_and_held_out_accuracy(
    suffrage, real_path, tmp_path, model
):
    with gzip.open(real_path("data/hh_harmless_dialogues.jsonl.gz")) as file:
        (tmp_path / "hh.jsonl").write_bytes(b"".join(file.readline() for _ in range(256)))
    said = suffrage(f"train dpo --model {model} --data hh.jsonl --holdout .2 --out run" + SHORT)
    notes = "\n".join(said["notes"])
    assert "Anthropic HH dialogues, 255 of 256 rows kept, 1 refused" in notes
    assert "chosen is empty (row 87)" in notes
    rows = RunDirectory(tmp_path / "run").metrics
    first, last = rows[0], rows[-1]
    assert first["eval/accuracy"] == 0.5  # the policy is its own reference
    assert 0 < last["eval/accuracy"] < 1
    assert last["eval/loss"] != first["eval/loss"]


@pytest.mark.parametrize("model", ["S", "G"])
def test_a_reward_learned_from_rankings_trains_a_policy(suffrage, tmp_path, model):
    data = "--data D/fine_grained_qa_groups.jsonl.gz --data-size 24"
    said = suffrage(f"train reward --model {model} {data} --holdout .25 --out rm" + SHORT)
    assert {"accuracy", "eval/accuracy"} <= set(said["metrics"])
    data = "--data D/tinystories_prompts.jsonl.gz --data-size 16 --max-new-tokens 24"
    said = suffrage(f"train ppo --model S {data} --reward rm --samples 2 --out ppo --json")
    assert said["metrics"]["ratio"] == pytest.approx(1, abs=1e-4)
    assert {"reward", "kl", "entropy"} <= set(said["metrics"])
    words = "generate --model S --model ppo --prompts D/mt_bench_questions.jsonl.gz --out r.json"
    said = suffrage(words + " --max-new-tokens 8 --overlong skip --json")
    answers = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert len(answers) == said["prompts"]
    assert said["prompts"] + said["left_out"] == 80


@pytest.mark.parametrize(
    ("method", "data"),
    [
        ("sft", "alpaca_zh.json.gz"),
        ("sft", "messages_kto_en.json.gz"),
        ("dpo", "sharegpt_dpo_zh.json.gz"),
        ("dpo", "oasst_en_pairs.jsonl.gz"),
        ("reward", "sharegpt_dpo_zh.json.gz"),
    ],
)
def test_chinese_and_english_data_of_several_forms(suffrage, method, data):
    words = (
        f"train {method} --model G --data D/{data} --data-size 24 --epochs 3 --lr 1e-4 --out run"
    )
    suffrage(words + SHORT)
    losses = [row["loss"] for row in RunDirectory(Path("run")).metrics]
    epoch = len(losses) // 3
    assert sum(losses[-epoch:]) < sum(losses[:epoch])


@pytest.mark.parametrize("name", ["stories260K", "gpt2_byte_951k"])
@torch.no_grad()
def test_plain_transformers_gives_the_score_of_a_saved_reward_model(real_path, tmp_path, name):
    """One of them has no padding token, the other ends texts with it."""
    made = from_language_model(load(real_path(f"models/{name}"), "cpu"), seed=1)
    made.base.save(tmp_path)
    texts = [" there was a cat.", " the end", " 中文，很長的故事"]
    answers = tuple(Completion(id=text, prompt_id="p", text=text) for text in texts)
    group = Group(prompt=Prompt(id="p", content="Once upon a time"), completions=answers)
    found = score_trees(made, [made.base.encoder().tree(group)])
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    whole = [group.prompt.content + text + tokenizer.eos_token for text in texts]
    batch = tokenizer(whole, padding=True, return_tensors="pt")
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    logits = theirs(batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    torch.testing.assert_close(found, logits[:, 0], rtol=1e-3, atol=1e-4)
