"""The loop: learning rates, one division by the count, logs, evaluations, and resuming."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

from suffrage.core.errors import NumericalError
from suffrage.core.runs import RunDirectory, open_run
from suffrage.train.loop import _note, badness, train
from suffrage.train.optimiser import LoopSettings, Optimiser, schedule_factor


def factors(schedule: str, steps: int = 10, warmup: float = 0.2) -> list[float]:
    loop = LoopSettings(steps=steps, learning_rate=1, schedule=schedule, warmup=warmup)
    return [schedule_factor(step, loop) for step in range(steps)]


def test_the_rate_warms_up_and_decays():
    falling = [1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]
    assert factors("linear") == pytest.approx([0.5, 1, *falling])
    assert factors("constant") == pytest.approx([0.5, 1, *[1] * 8])
    cosine = factors("cosine")
    assert cosine[:3] == pytest.approx([0.5, 1, 1])
    assert cosine[6] == pytest.approx(0.5)  # half of the way down
    assert cosine[8] == pytest.approx((1 - 0.5**0.5) / 2)
    assert factors("linear", steps=1, warmup=0.1) == [1]


def linear(**changes) -> Optimiser:
    """One layer with weights 2, clipped far away, without decay."""
    layer = nn.Linear(2, 1, bias=False)
    nn.init.constant_(layer.weight, 2.0)
    loop = LoopSettings(**{"steps": 4, "learning_rate": 0.1, "clip_norm": 1e9, **changes})
    return Optimiser({"model": layer}, loop)


def test_the_sum_of_all_parts_is_divided_once_by_the_count():
    optimiser = linear()
    weight = optimiser.modules["model"].weight
    found = optimiser.update((weight.sum() * share for share in (1.0, 2.0, 4.0)), 5.0)
    # the sum is 4 * 7 = 28 and its gradient (7, 7)
    assert found["loss"] == pytest.approx(28 / 5)
    assert found["grad_norm"] == pytest.approx(7 / 5 * 2**0.5)
    assert weight.grad.tolist() == [pytest.approx([1.4, 1.4])]
    assert weight.tolist() == [pytest.approx([1.9, 1.9])]  # Adam's first step is the rate


def test_a_long_gradient_is_cut_to_the_norm():
    optimiser = linear(clip_norm=0.5)
    weight = optimiser.modules["model"].weight
    found = optimiser.update([(weight * torch.tensor([[3.0, 4.0]])).sum()], 1.0)
    assert found["grad_norm"] == pytest.approx(5)
    assert weight.grad.tolist() == [pytest.approx([0.3, 0.4], abs=1e-5)]


def test_each_module_is_clipped_by_its_own_norm():
    layers = {"policy": nn.Linear(1, 1, bias=False), "critic": nn.Linear(1, 1, bias=False)}
    optimiser = Optimiser(layers, LoopSettings(steps=1, learning_rate=0.1, clip_norm=1.0))
    sums = [100 * layers["policy"].weight.sum() + 0.25 * layers["critic"].weight.sum()]
    found = optimiser.update(sums, 1.0)
    assert found["grad_norm/policy"] == pytest.approx(100)
    assert found["grad_norm/critic"] == pytest.approx(0.25)
    assert layers["critic"].weight.grad.item() == pytest.approx(0.25)
    assert layers["policy"].weight.grad.item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_says_where_and_leaves_the_weights(value):
    optimiser = linear()
    weight = optimiser.modules["model"].weight
    sums = [weight.sum(), weight.sum() * value]
    with pytest.raises(NumericalError, match=r"the loss is (nan|inf) at step 3, on prompts p7"):
        optimiser.update(sums, 2.0, lambda: "at step 3, on prompts p7")
    assert weight.tolist() == [[2.0, 2.0]]
    optimiser.update([weight.sum()], 2.0)
    assert weight.tolist() == [pytest.approx([1.9, 1.9])]


@dataclass
class Counting:
    """A step that pulls the weights down and fails where it is told to."""

    optimiser: Optimiser
    fail_at: int = -1
    seen: list[int] = field(default_factory=list)
    kept: float = 0.0

    def __call__(self, step: int) -> dict[str, float]:
        if step == self.fail_at:
            raise KeyboardInterrupt
        self.seen.append(step)
        self.kept += 0.125 * step
        weight = self.optimiser.modules["model"].weight
        return {**self.optimiser.update([weight.pow(2).sum()], 1.0), "kept": self.kept}

    def state(self) -> dict[str, float]:
        return {"kept": self.kept}

    def restore(self, state: dict[str, float]) -> None:
        self.kept = state["kept"]


def run_loop(run: RunDirectory, fail_at: int = -1, **changes) -> Counting:
    optimiser = linear(**{"steps": 7, "checkpoint_every": 2, **changes})
    step = Counting(optimiser, fail_at)

    def evaluate() -> dict[str, float]:
        return {"weight": float(optimiser.modules["model"].weight.sum())}

    train(run, optimiser, step, label="test", evaluate=evaluate, keeper=step)
    return step


@pytest.fixture
def run(tmp_path) -> RunDirectory:
    return open_run(tmp_path / "run", {})


def test_each_step_is_logged_once_with_its_rate(run):
    run_loop(run, schedule="constant", warmup=0.0)
    steps = [row["step"] for row in run.metrics]
    assert steps == list(range(8))  # 0 is the evaluation before the first
    assert all(row["lr"] == 0.1 for row in run.metrics[1:])


@pytest.mark.parametrize(("every", "evaluated"), [(0, [0, 7]), (3, [0, 3, 6, 7]), (1, [*range(8)])])
def test_evaluations_come_at_the_start_the_end_and_when_due(run, every, evaluated):
    run_loop(run, eval_every=every)
    assert [row["step"] for row in run.metrics if "eval/weight" in row] == evaluated
    assert run.metrics[0] == {"step": 0, "eval/weight": 4.0}


@pytest.mark.parametrize("fail_at", [1, 2, 3, 6])
def test_an_interrupted_loop_ends_as_if_it_had_not_been(tmp_path, run, fail_at):
    whole = run_loop(run, eval_every=2)
    other = open_run(tmp_path / "other", {})
    with pytest.raises(KeyboardInterrupt):
        run_loop(other, fail_at, eval_every=2)
    resumed = run_loop(other, eval_every=2)
    assert resumed.seen == list(range(fail_at - fail_at % 2, 7))
    files = [(folder.path / "metrics.jsonl").read_bytes() for folder in (run, other)]
    assert files[0] == files[1]
    weights = [step.optimiser.modules["model"].weight for step in (whole, resumed)]
    assert torch.equal(*weights)
    assert len((other.path / "timing.jsonl").read_text().splitlines()) == 8


def test_a_loop_that_had_ended_only_reads_its_last_row(run):
    run_loop(run, steps=4)
    assert run_loop(run, steps=4).seen == []
    assert [row["step"] for row in run.metrics] == [0, 1, 2, 3, 4]


@dataclass
class Falling:
    """A step that takes 1 from a weight of 9, held out against a given loss for each value."""

    losses: dict[int, float]
    fail_at: int = -1

    def __post_init__(self) -> None:
        self.layer = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.layer.weight, 9.0)

    def __call__(self, step: int) -> dict[str, float]:
        if step == self.fail_at:
            raise KeyboardInterrupt
        with torch.no_grad():
            self.layer.weight -= 1
        return {"loss": 0.0}

    def evaluate(self) -> dict[str, float]:
        return {"loss": self.losses[round(self.layer.weight.item())]}

    def train(self, run: RunDirectory, **changes) -> dict[str, float]:
        settings = LoopSettings(
            **{"steps": 8, "learning_rate": 0.1, "eval_every": 1, "checkpoint_every": 2, **changes}
        )
        optimiser = Optimiser({"model": self.layer}, settings)
        return train(run, optimiser, self, label="test", evaluate=self.evaluate)


LOSSES = {9: 4.0, 8: 3.0, 7: 3.5, 6: 2.0, 5: 2.5, 4: 2.0, 3: 1.0, 2: 1.0, 1: 0.5}


def test_the_figures_beside_the_bar():
    row = {"reward": 0.5, "kl": 1.25, "loss": 7.0}
    assert _note(("reward", "kl"), row, 0.1) == "reward 0.500, kl 1.250"
    assert _note(("loss",), {**row, "tokens": 300}, 0.1) == "loss 7.000, 3,000 tokens/s"


@pytest.mark.parametrize(("patience", "last", "best"), [(0, 8, 1), (1, 2, 8), (2, 8, 1), (3, 8, 1)])
def test_it_stops_after_so_many_evaluations_without_a_better_one(run, patience, last, best):
    step = Falling(LOSSES)
    figures = step.train(run, patience=patience)
    assert run.metrics[-1]["step"] == last
    assert step.layer.weight.item() == best
    assert figures["eval/loss"] == LOSSES[best]


def test_when_nothing_helps_the_model_stays_as_given(run):
    step = Falling(dict.fromkeys(range(10), 2.0) | {9: 1.5})
    figures = step.train(run, patience=3)
    assert run.metrics[-1]["step"] == 3
    assert step.layer.weight.item() == 9
    assert figures == {"step": 0, "eval/loss": 1.5}


@pytest.mark.parametrize("fail_at", [1, 4, 5])
def test_a_stop_is_the_same_after_an_interruption(tmp_path, run, fail_at):
    losses = {9: 4.0, 8: 3.0, 7: 3.5, 6: 2.0, 5: 2.5, 4: 2.2, 3: 2.1, 2: 1.0, 1: 0.5}
    whole = Falling(losses).train(run, patience=3)
    other = open_run(tmp_path / "other", {})
    with pytest.raises(KeyboardInterrupt):
        Falling(losses, fail_at).train(other, patience=3)
    resumed = Falling(losses)
    assert resumed.train(other, patience=3) == whole
    assert resumed.layer.weight.item() == 6
    assert other.metrics == run.metrics


def test_a_reward_is_to_rise():
    assert badness({"step": 2, "eval/reward": 0.25}) == -0.25
    assert badness({"step": 2, "eval/reward": 0.25, "eval/loss": 3.0}) == 3
    assert badness({"step": 2, "loss": 3.0}) is None
