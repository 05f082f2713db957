"""PPO and DPO reach the same known answer: p_ref exp(r / b), on all answers of three tokens."""

from __future__ import annotations

import torch
from test_policy_gradient import Enumerated

from suffrage.objectives.answers import Answers
from suffrage.objectives.pairs import dpo_loss
from suffrage.objectives.ppo import gae, kl_rewards, policy_loss, value_loss

BETA = 0.6


def distance(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """Total variation."""
    return float((found - wanted).abs().sum() / 2)


def test_dpo_on_every_pair_ends_at_the_optimum():
    world = Enumerated(seed=5)
    first, second = torch.triu_indices(64, 64, offset=1)
    probability = torch.sigmoid(world.reward_B[first] - world.reward_B[second])
    logits = world.reference.clone().requires_grad_()
    optimiser = torch.optim.LBFGS([logits], max_iter=400, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        logps = world.logps(logits)
        length = torch.full_like(logps, 3)
        sides = [
            Answers(logps[side], world.reference_B[side], length[side]) for side in (first, second)
        ]
        total = dpo_loss(*sides, probability, beta=BETA).loss_P.mean()
        total.backward()
        return total

    optimiser.step(loss)
    found = world.logps(logits.detach()).exp()
    assert distance(world.reference_B.exp(), world.optimum(BETA)) > 0.4
    assert distance(found, world.optimum(BETA)) < 1e-3


def test_ppo_from_samples_ends_near_the_optimum():
    world = Enumerated(seed=5)
    torch.manual_seed(0)
    logits = world.reference.clone().requires_grad_()
    values = torch.zeros(21, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([logits, values], lr=0.02)
    for step in range(400):
        for group in optimiser.param_groups:
            group["lr"] = 0.02 * (1 - step / 400)
        ppo_step(world, logits, values, optimiser)
    found = world.logps(logits.detach()).exp()
    assert distance(found, world.optimum(BETA)) < 0.03


def ppo_step(world, logits, values, optimiser, samples: int = 512) -> None:
    with torch.no_grad():
        drawn = torch.multinomial(world.logps(logits).exp(), samples, replacement=True)
        old, reference = (world.token_logps(each)[drawn] for each in (logits, world.reference))
        mask, old_value = torch.ones_like(old), values[world.state_BT[drawn]].clone()
        rewards = kl_rewards(old, reference, world.reward_B[drawn], mask, kl_coef=BETA)
        advantages, returns = gae(rewards, old_value, mask, gamma=1.0, lam=0.95)
    for _ in range(2):
        optimiser.zero_grad()
        new = world.token_logps(logits)[drawn]
        policy, _ = policy_loss(new.flatten(), old.flatten(), advantages.flatten(), clip=0.2)
        value = values[world.state_BT[drawn]]
        critic = value_loss(value.flatten(), old_value.flatten(), returns.flatten(), clip=5.0)
        (policy.mean() + critic.mean()).backward()
        optimiser.step()
