"""PPO: rollouts that know their numbers, updates that start at ratio 1, and rewards that rise."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import pytest
import tiny
import torch
from ten_groups import groups
from torch import Tensor

from suffrage.core.errors import DataError, ModelError, NumericalError, SettingsError
from suffrage.core.records import Group, Prompt
from suffrage.core.runs import RunDirectory
from suffrage.data.read import write_groups
from suffrage.models.language_model import LanguageModel, load
from suffrage.models.processes import Processes
from suffrage.models.scalar_head import from_language_model, load_reward, score_trees
from suffrage.objectives.online import PPOOptions
from suffrage.train.examples import Batches
from suffrage.train.optimiser import LoopSettings, Optimiser
from suffrage.train.rl.advantages import _explained, by_critic
from suffrage.train.rl.critic import OwnCritic, own_critic
from suffrage.train.rl.policy import PolicyStep
from suffrage.train.rl.reward import Reward, as_group, reward_model
from suffrage.train.rl.rewards import Member, Rewards
from suffrage.train.rl.rollout import Roller
from suffrage.train.rl.run import train_online
from suffrage.train.rl.sampler import Sampler
from suffrage.train.rl.tasks import Task, read_tasks

PROMPTS = [
    Prompt(id=f"p{i}", content=text) for i, text in enumerate(["the sea", "中", "ab", "q: "])
]


def vowels(prompts: Sequence[Prompt], texts: Sequence[Sequence[str]]) -> Tensor:
    """A toy reward: how many of the tokens' characters are lower-case letters, out of eight."""
    counts = [sum("a" <= c <= "z" for c in text) / 8 for own in texts for text in own]
    return torch.tensor(counts)


def make_step(rate: float = 1e-3, reward=vowels, **changes) -> PolicyStep:
    policy = tiny.bundle(initializer_range=0.15)
    critic = from_language_model(policy, seed=3)
    options = PPOOptions(**{"samples": 4, "max_new_tokens": 8, "rollout_epochs": 2, **changes})
    encoder = policy.encoder()
    rewards = Rewards((Member("toy", 1.0, Reward(reward)),), options)
    sampler = Sampler(policy, rewards, encoder, options)
    roller = Roller(sampler, policy.frozen_copy(), OwnCritic(critic), 400)
    tasks = [Task(prompt, encoder.prompt(prompt)) for prompt in PROMPTS]
    loop = LoopSettings(steps=60, learning_rate=rate, schedule="constant", warmup=0, adam_eps=1e-5)
    optimiser = Optimiser({"policy": policy.model, "critic": critic.model}, loop)
    return PolicyStep(roller, tasks, Batches(4, 4, 0), optimiser, options, seed=5, budget=400)


@pytest.mark.parametrize("minibatches", [1, 3])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_first_update_starts_at_ratio_one(minibatches, temperature):
    step = make_step(minibatches=minibatches, temperature=temperature)
    for index in range(3):
        assert step(index)["ratio"] == pytest.approx(1, abs=1e-6)


def test_at_the_start_there_is_no_distance_to_the_reference_and_later_there_is():
    step = make_step(rate=5e-3)
    assert step(0)["kl"] == pytest.approx(0, abs=1e-5)
    for index in range(1, 6):
        last = step(index)
    assert abs(last["kl"]) > 1e-2


def test_the_reward_rises_and_the_reference_stays():
    step = make_step(rate=5e-3, rollout_epochs=4, kl_coef=0.01)
    before = copy.deepcopy(step.roller.reference.model.state_dict())
    rewards = [step(index)["reward"] for index in range(40)]
    early, late = sum(rewards[:5]) / 5, sum(rewards[-5:]) / 5
    assert late > early + 0.3
    for name, tensor in step.roller.reference.model.state_dict().items():
        assert torch.equal(tensor, before[name])


def distance(kl_coef: float) -> float:
    """How far the policy has gone from the reference after the same steps."""
    step = make_step(rate=5e-3, rollout_epochs=4, kl_coef=kl_coef)
    return [step(index)["kl"] for index in range(25)][-1]


def test_a_stronger_anchor_keeps_the_policy_nearer():
    assert distance(2.0) < 0.5 * distance(0.0)


def test_a_step_does_not_depend_on_how_its_tokens_are_split():
    found = []
    for budget in (1, 10**6):
        step = make_step(minibatches=2)
        split = replace(step, budget=budget)
        found.append([split(index) for index in range(2)])
    for one, other in zip(*found, strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-4)


def rollout(step: PolicyStep):
    return step.roller(step.tasks, seed=1, keys=[0, 1, 2, 3])


def test_a_rollout_is_padded_with_zeros_and_counts_its_tokens():
    step = make_step()
    made = rollout(step)
    lengths = [len(branch.tokens) for tree in made.trees for branch in tree.branches]
    assert made.mask_BT.sum(1).tolist() == lengths
    assert made.mask_BT.shape == (16, max(lengths))
    estimated = by_critic(made, 0.05, step.options)
    advantages_BT = estimated.advantages_BT
    for figures in (made.logps_BT, made.values_BT, advantages_BT, estimated.returns_BT):
        assert figures.shape == made.mask_BT.shape
        assert not bool(figures[made.mask_BT == 0].any())
    assert made.metrics["length"] == pytest.approx(sum(lengths) / 16)
    real = made.mask_BT.bool()
    assert float(advantages_BT[real].mean()) == pytest.approx(0, abs=1e-5)
    assert float(advantages_BT[real].var(correction=0)) == pytest.approx(1, abs=1e-4)


class Weighed(Processes):
    """Alone; looks at what it would send to others."""

    def divide(self, items, work):
        made = list(work(list(items)))
        flat = [t for one in made for t in (one if isinstance(one, tuple) else (one,))]
        for tensor in (one for one in flat if isinstance(one, torch.Tensor)):
            assert tensor.untyped_storage().nbytes() == tensor.nbytes
            SENT.append(tensor.nbytes)
        return made


SENT: list[int] = []


def test_of_each_figure_only_its_own_numbers_are_sent_to_other_processes():
    step = make_step()
    sampler = replace(step.roller.sampler, processes=Weighed())
    SENT.clear()
    made = replace(step.roller, sampler=sampler)(step.tasks, seed=1, keys=[0, 1, 2, 3])
    # float32: log-probability, value and reference of each token, and a score for each answer
    assert sum(SENT) == 4 * (3 * int(made.mask_BT.sum()) + len(made.mask_BT))


def test_rows_of_a_rollout_are_those_of_its_trees():
    made = rollout(make_step())
    assert made.rows([2, 0]).tolist() == [8, 9, 10, 11, 0, 1, 2, 3]


def test_returns_at_lambda_one_without_anchor_are_the_scores():
    step = make_step(lam=1.0, kl_coef=0.0, missing_end_penalty=0.25)
    made = rollout(step)
    sampled = step.roller.sampler.sample(step.tasks, 1, [0, 1, 2, 3])
    score_B, _ = step.roller.sampler.score(step.tasks, sampled)
    real = made.mask_BT.bool()
    expected = score_B[:, None].expand_as(made.mask_BT)[real]
    returns_BT = by_critic(made, 0.0, step.options).returns_BT
    torch.testing.assert_close(returns_BT[real], expected, rtol=0, atol=1e-5)


def test_an_answer_without_an_end_pays_for_it():
    free, paying = (make_step(missing_end_penalty=penalty) for penalty in (0.0, 0.75))
    sampled = free.roller.sampler.sample(free.tasks, 1, [0, 1, 2, 3])
    unfinished = torch.tensor([not s.finished for own in sampled for s in own])
    assert bool(unfinished.any())
    scores = [step.roller.sampler.score(step.tasks, sampled)[0] for step in (free, paying)]
    assert torch.equal(scores[0] - scores[1], 0.75 * unfinished.float())


def failing(places: list[int]):
    def broken(prompts: Sequence[Prompt], texts: Sequence[Sequence[str]]) -> Tensor:
        return vowels(prompts, texts).index_fill(0, torch.tensor(places), float("nan"))

    return broken


def test_an_answer_without_a_reward_is_left_out_and_counted():
    step = make_step(reward=failing([3, 8, 9, 10, 11]))  # all four answers to the third prompt
    scored = rollout(step).scored
    assert scored.task_P == [0, 1, 3]
    assert [len(tree.branches) for tree in scored.trees] == [3, 4, 4]
    assert scored.group_B.tolist() == [0] * 3 + [1] * 4 + [2] * 4
    assert bool(torch.isfinite(scored.score_B).all())
    assert step(0)["left_out"] == 10  # five of this rollout after five of the one above


def test_a_reward_that_mostly_fails_stops_the_run():
    match = "no finite number for 9 of 16 answers \\(the first to prompt p2\\); mend the reward"
    with pytest.raises(NumericalError, match=match):
        make_step(reward=failing(list(range(9))))(0)


def test_explained_variance():
    mask = torch.tensor([[1.0, 1, 0], [1, 0, 0]])
    values = torch.tensor([[1.0, 2, 1e9], [4, -1e9, 0]])
    returns = torch.tensor([[2.0, 2, -1e9], [5, 1e9, 0]])
    # errors 1, 0, 1 have variance 2/9; returns 2, 2, 5 have variance 2
    assert _explained(values, returns, mask) == pytest.approx(1 - (2 / 9) / 2)
    assert _explained(values, values, mask) == 1
    assert _explained(values, torch.full((2, 3), 3.0), mask) == 0


def test_a_reward_model_scores_texts_as_its_own_tokenizer_reads_them():
    scalar = from_language_model(tiny.bundle("gpt2", seed=8), seed=4)
    texts = [["the sea", "", "abab"], ["中文"]]
    found = reward_model(scalar)(PROMPTS[:2], texts)
    encoder = scalar.base.encoder()
    trees = [encoder.tree(as_group(p, own)) for p, own in zip(PROMPTS[:2], texts, strict=True)]
    torch.testing.assert_close(found, score_trees(scalar, [tree for tree in trees if tree]))


def test_the_critic_starts_from_the_reward_model_where_it_reads_the_same_tokens():
    policy = tiny.bundle()
    reward = from_language_model(tiny.bundle(seed=1), seed=4)
    critic = own_critic(policy, reward, seed=0).scalar
    assert torch.equal(critic.model.score.weight, reward.model.score.weight)
    assert critic.model is not reward.model
    assert all(p.requires_grad for p in critic.model.parameters())
    gpt2 = from_language_model(tiny.bundle("gpt2"), seed=4)
    other = own_critic(policy, gpt2, seed=0).scalar
    assert other.model.config.model_type == "llama"
    backbone = policy.model.base_model.state_dict()
    assert all(torch.equal(t, backbone[n]) for n, t in other.model.base_model.state_dict().items())


@pytest.fixture
def prompts_file(tmp_path):
    write_groups(tmp_path / "prompts.jsonl", groups(5))
    return str(tmp_path / "prompts.jsonl")


def test_prompts_are_read_once_and_leave_room_for_the_answer(prompts_file):
    bundle: LanguageModel = tiny.bundle()
    tasks, _ = read_tasks(prompts_file, bundle.encoder(), 8, 3)
    assert [task.prompt.id for task in tasks] == ["p0", "p1", "p2"]
    with pytest.raises(DataError, match="'p0' is too long"):
        read_tasks(prompts_file, bundle.encoder(), 120, None)
    with pytest.raises(DataError, match="no prompt leaves room for 120 new tokens; ask for fewer"):
        read_tasks(prompts_file, bundle.encoder("skip"), 120, None)
    cut, note = read_tasks(prompts_file, bundle.encoder("cut"), 120, None)
    assert {len(task.tokens) for task in cut} == {8}
    room = "so that 120 new tokens fit in 128"
    assert note.endswith(f"rows kept; prompts that lost their beginning {room}: {len(cut)}")


def test_prompts_that_leave_no_room_are_counted(tmp_path):
    one, other = (Prompt(id=name, content=name * 30) for name in ("a", "bcde"))
    write_groups(tmp_path / "p.jsonl", [Group(prompt=one), Group(prompt=other)])
    tasks, note = read_tasks(str(tmp_path / "p.jsonl"), tiny.bundle().encoder("skip"), 60, None)
    assert [task.prompt.id for task in tasks] == ["a"]
    assert note.endswith("; prompts left out so that 60 new tokens fit in 128: 1")


def test_a_run_of_ppo(settings, tmp_path, prompts_file, reward_folder, model_folder):
    made = settings(
        "ppo", data=prompts_file, eval_data=prompts_file, epochs=2, lr=1e-2,
        options={"samples": 2, "max_new_tokens": 6},
    )  # fmt: skip
    finished = train_online(made, str(reward_folder), tmp_path / "run")
    rows = RunDirectory(tmp_path / "run").metrics
    assert [row["step"] for row in rows] == [0, 1, 2, 3, 4]  # five prompts, four a step
    assert "eval/reward" in rows[0]
    assert finished.metrics == rows[-1]
    for row in rows[1:]:
        assert row["ratio"] == pytest.approx(1, abs=1e-6)
        assert 0 <= row["clip_fraction"] <= 1
    assert rows[1]["kl"] == pytest.approx(0, abs=1e-6)
    assert abs(rows[-1]["kl"]) > 1e-3  # the reference is another model by now
    trained, start = (load(folder, "cpu").model for folder in (tmp_path / "run", model_folder))
    pairs = zip(trained.parameters(), start.parameters(), strict=True)
    assert any(not torch.equal(one, other) for one, other in pairs)
    assert train_online(made, str(reward_folder), tmp_path / "run").reused


def test_ppo_needs_a_reward_model(settings, tmp_path, prompts_file, model_folder):
    with pytest.raises(SettingsError, match="ppo needs --reward, a reward model; train one with"):
        train_online(settings("ppo", data=prompts_file), [], tmp_path / "run")
    with pytest.raises(ModelError, match="is no reward model"):
        train_online(settings("ppo", data=prompts_file), str(model_folder), tmp_path / "run")


def test_a_loaded_reward_model_is_not_trained(reward_folder):
    scalar = load_reward(reward_folder, torch.device("cpu"))
    critic = own_critic(tiny.bundle(), scalar, seed=0).scalar
    critic.model.score.weight.data.zero_()
    assert not any(p.requires_grad for p in scalar.model.parameters())
    assert scalar.model.score.weight.abs().sum() > 0
