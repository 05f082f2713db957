"""PPO against TRL 1.12, the last version that has it: one rollout, two epochs, every number.

    pip install --no-deps --target TRL trl==1.12.0
    PYTHONPATH=TRL pytest tests/oracles/test_trl_ppo.py

What TRL's trainer computes on the way is caught as it passes through its own helpers; from the same
log-probabilities, values and scores ours must come to the same advantages and losses. No answer
ends here: TRL puts the score of one that ends on the token after its end, ours on the end itself.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from suffrage.objectives.ppo import gae, kl_rewards, policy_loss, value_loss, whiten

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    ppo_trainer = pytest.importorskip(
        "trl.experimental.ppo.ppo_trainer", reason="TRL 1.12 is not installed"
    )
    from datasets import Dataset
    from trl.experimental.ppo import PPOConfig, PPOTrainer

PROMPTS, LENGTH, CONTEXT = 6, 7, 4
KL, LAM, GAMMA, CLIP, VALUE_CLIP = 0.3, 0.9, 0.97, 0.02, 0.03
pytestmark = pytest.mark.filterwarnings("ignore")

Caught = dict[str, list[Any]]


@pytest.fixture
def caught(monkeypatch: pytest.MonkeyPatch) -> Caught:
    """What passes through TRL's helpers, in order."""
    found: Caught = {}

    def watch(name: str, take: Any = lambda args, out: out) -> None:
        inner = getattr(ppo_trainer, name)

        def watched(*args: Any, **more: Any) -> Any:
            out = inner(*args, **more)
            found.setdefault(name, []).append(take(args, out))
            return out

        monkeypatch.setattr(ppo_trainer, name, watched)

    def first(args: Any, out: Any) -> Tensor:
        return args[0].clone()

    watch("selective_log_softmax", lambda args, out: out.detach().clone())
    watch("get_reward", lambda args, out: [part.clone() for part in out[:2]])
    watch("masked_whiten", first)
    watch("forward")
    monkeypatch.setattr(ppo_trainer.np.random, "permutation", np.arange)  # rows stay in order
    return found


def train(folder: Any) -> dict[str, float]:
    """Two epochs over one rollout of random models; what TRL logs of it."""
    tokenizer = tiny.tokenizer()
    torch.manual_seed(3)
    ids = torch.randint(4, 265, (PROMPTS, CONTEXT)).tolist()

    def scalar(seed: int) -> Any:
        config = tiny.model(seed=seed).config
        config.num_labels = 1
        torch.manual_seed(seed)
        return AutoModelForSequenceClassification.from_config(config)

    args = PPOConfig(
        output_dir=str(folder), use_cpu=True, bf16=False, gradient_checkpointing=False,
        report_to=[], save_strategy="no", num_sample_generations=0, disable_tqdm=True,
        per_device_train_batch_size=PROMPTS, gradient_accumulation_steps=1, num_mini_batches=1,
        num_ppo_epochs=2,
        local_rollout_forward_batch_size=PROMPTS, response_length=LENGTH, temperature=1.0,
        total_episodes=PROMPTS, learning_rate=0.05, kl_coef=KL, lam=LAM, gamma=GAMMA,
        cliprange=CLIP, cliprange_value=VALUE_CLIP, vf_coef=0.1, seed=5,
    )  # fmt: skip
    data = Dataset.from_dict({"input_ids": ids})
    trainer = PPOTrainer(
        args, tokenizer, tiny.model(seed=1), tiny.model(seed=2), scalar(3), data,
        value_model=scalar(4), eval_dataset=data,
    )  # fmt: skip
    logged: dict[str, float] = {}
    trainer.log = lambda metrics, *_: logged.update(metrics)
    trainer.train()
    return logged


def test_advantages_and_losses_are_those_of_trl(tmp_path, caught):
    logged = train(tmp_path)
    old_BT, reference_BT, *new = caught["selective_log_softmax"]
    (full_BT1, _), (_, score_B) = caught["get_reward"]
    values_BT = full_BT1[:, CONTEXT - 1 : -1].squeeze(-1)
    mask_BT = torch.ones(PROMPTS, LENGTH)

    rewards_BT = kl_rewards(old_BT, reference_BT, score_B, mask_BT, kl_coef=KL)
    advantages_BT, returns_BT = gae(rewards_BT, values_BT, mask_BT, gamma=GAMMA, lam=LAM)
    (raw_BT,) = caught["masked_whiten"]
    torch.testing.assert_close(advantages_BT, raw_BT)

    # TRL's variance is of a sample, ours of these tokens
    advantages_BT = whiten(advantages_BT, mask_BT) * ((mask_BT.sum() - 1) / mask_BT.sum()) ** 0.5
    pairs = [(logps_BT, values) for logps_BT, values in zip(new, _values(caught), strict=True)]
    policy = [policy_loss(n, old_BT, advantages_BT, clip=CLIP) for n, _ in pairs]
    value = [value_loss(v, values_BT, returns_BT, clip=VALUE_CLIP) for _, v in pairs]
    assert logged["val/ratio"] != pytest.approx(1, abs=1e-3)  # the second epoch moved
    for name, ours in (
        ("loss/policy_avg", [loss for loss, _ in policy]),
        ("policy/clipfrac_avg", [clipped for _, clipped in policy]),
        ("loss/value_avg", value),
    ):
        assert sum(float(each.mean()) for each in ours) / 2 == pytest.approx(logged[name], rel=1e-4)
    kl = float((old_BT - reference_BT).sum(1).mean())
    assert kl == pytest.approx(logged["objective/kl"], rel=1e-4)


def _values(caught: Caught) -> list[Tensor]:
    """The critic's values in each epoch; the reference's forward has none."""
    passed = [out for out in caught["forward"] if isinstance(out, tuple) and len(out) == 2]
    return [values.detach()[:, CONTEXT - 1 : -1].squeeze(-1) for _, values in passed]
