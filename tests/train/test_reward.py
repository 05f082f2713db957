"""The reward of PPO, whoever made it."""

from __future__ import annotations

import pytest
import tiny
import torch
from transformers import AutoModelForSequenceClassification

from suffrage.core.errors import ModelError
from suffrage.core.files import read_json, write_jsonl
from suffrage.core.records import Prompt
from suffrage.models.scalar_head import load_reward
from suffrage.train.rl.critic import own_critic
from suffrage.train.rl.reward import find_reward, reward_model
from suffrage.train.rl.run import train_online

CPU = torch.device("cpu")
PROMPTS = [Prompt(id="p", content="the sea"), Prompt(id="q", content="中")]
TEXTS = [["ab", "singing"], ["好"]]


@pytest.fixture
def classifier(tmp_path):
    """A random causal classifier of two classes with a tokenizer that is not the policy's."""
    config = tiny.model("gpt2").config
    config.num_labels, config.id2label = 2, {0: "bad", 1: "good"}
    torch.manual_seed(2)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path / "gpt2")
    tiny.tokenizer(bos=True).save_pretrained(tmp_path / "gpt2")
    return tmp_path / "gpt2"


def test_a_reward_model_of_ours_scores_and_is_what_a_critic_starts_from(reward_folder):
    found = find_reward(str(reward_folder), CPU)
    expected = reward_model(load_reward(reward_folder, CPU))(PROMPTS, TEXTS)
    torch.testing.assert_close(found.score(PROMPTS, TEXTS), expected)
    assert found.model is not None
    assert found.model.base.name == str(reward_folder)


def test_any_classifier_scores_and_the_critic_starts_from_the_policy(classifier):
    good, bad = (find_reward(f"hf:{classifier}#{label}", CPU) for label in ("good", "bad"))
    torch.testing.assert_close(good.score(PROMPTS, TEXTS), -bad.score(PROMPTS, TEXTS))
    assert good.model is None
    policy = tiny.bundle()
    critic = own_critic(policy, good.model, seed=0).scalar
    own = policy.model.base_model.state_dict()
    assert all(torch.equal(t, own[n]) for n, t in critic.model.base_model.state_dict().items())
    assert critic.model.score.weight.shape == (1, 16)


def test_ppo_trains_against_it_and_remembers_which_it_was(classifier, settings, tmp_path):
    data = tmp_path / "prompts.jsonl"
    write_jsonl(data, [{"id": i, "prompt": text} for i, text in enumerate(("the sea", "ab", "in"))])
    made = settings("ppo", data=str(data), options={"samples": 2, "max_new_tokens": 4})
    finished = train_online(made, f"hf:{classifier}#good", tmp_path / "run")
    assert finished.metrics["ratio"] == pytest.approx(1, abs=1e-6)
    recorded = read_json(tmp_path / "run" / "settings.json")
    assert recorded["reward"] == [f"hf:{classifier}#good"]
    assert recorded["reward_1_key"]
    with pytest.raises(ModelError, match=r"has no label 'fine'; name one as .*: bad, good\."):
        train_online(made, f"hf:{classifier}#fine", tmp_path / "other")
    assert not (tmp_path / "other").exists()
