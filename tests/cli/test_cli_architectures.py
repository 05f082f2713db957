"""Other architectures than Llama, from the command line: trained, and asked afterwards."""

from __future__ import annotations

import json

import pytest
import tiny

# Normalised queries; capped logits and a window; a window alone; learned positions
FAMILIES = ("qwen3", "gemma2", "mistral", "gpt2")


@pytest.mark.parametrize("family", FAMILIES)
def test_dpo_raises_the_margin_and_the_run_answers(suffrage, home, family):
    tiny.saved(home / family, family, template=tiny.CHATML)
    words = f"train dpo --model {family} --data pairs.jsonl --out run --epochs 4 --lr 1e-3"
    said = json.loads(suffrage(words + " --batch-size 4 --json").out)
    assert said["metrics"]["margin"] > 0.1
    words = f"generate --model {family} --model run --prompts prompts.json --max-new-tokens 5"
    status, _, err = suffrage(words + " --out responses.json")
    assert (status, err) == (0, "")
    rows = json.loads((home / "responses.json").read_text("utf-8"))
    assert len(rows) == 3
    assert any(
        row["response_from_original_model"] != row["response_from_trained_model"] for row in rows
    )


@pytest.mark.parametrize("family", ["qwen3", "mistral"])
def test_a_reward_model_serves_ppo(suffrage, home, family):
    tiny.saved(home / family, family)
    words = f"train reward --model {family} --data pairs.jsonl --out reward --batch-size 4"
    assert suffrage(words).status == 0
    words = f"train ppo --model {family} --reward reward --data prompts.json --out run"
    said = json.loads(suffrage(words + " --max-new-tokens 6 --samples 2 --json").out)
    assert said["metrics"]["length"] <= 6
    assert said["metrics"]["ratio"] == pytest.approx(1, abs=1e-5)
