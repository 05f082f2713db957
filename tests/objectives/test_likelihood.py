"""Likelihood losses against values worked by hand."""

from __future__ import annotations

import pytest
import torch

from suffrage.objectives.answers import Answers
from suffrage.objectives.likelihood import conditional_loss, sft_loss

S = torch.tensor([-1.7, -4.0, -2.5, -0.3], dtype=torch.float64)
ANSWERS = Answers(S, torch.full_like(S, 99), torch.tensor([3, 7, 2, 5]))  # no reference is read
QUALITY = torch.tensor([0.0, 1.0, 0.5, 1.0])


def test_each_class_counts_by_its_weight():
    found = conditional_loss(ANSWERS, QUALITY, middling_weight=0.6, bad_weight=0.2)
    assert found.tolist() == pytest.approx([0.34, 4.0, 1.5, 0.3])


def test_with_equal_weights_it_is_imitation_of_every_answer():
    assert conditional_loss(ANSWERS, QUALITY).tolist() == sft_loss(ANSWERS).tolist()
    assert sft_loss(ANSWERS).tolist() == pytest.approx([1.7, 4.0, 2.5, 0.3])


def test_a_weight_of_nothing_leaves_a_class_out_of_the_gradient():
    logp = S.clone().requires_grad_()
    answers = Answers(logp, ANSWERS.reference, ANSWERS.length)
    conditional_loss(answers, QUALITY, middling_weight=0.6, bad_weight=0.0).sum().backward()
    assert logp.grad is not None
    assert logp.grad.tolist() == pytest.approx([0, -1, -0.6, -1])
