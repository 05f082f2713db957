"""An exponential moving average of a policy's weights, which is what a run then saves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class Average(nn.Module):
    """w_avg <- d w_avg + (1 - d) w, after every update.

    The averages are buffers: a checkpoint keeps them, and no optimiser sees them.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.names = {
            name: f"w{number}"
            for number, (name, p) in enumerate(model.named_parameters())
            if p.requires_grad
        }
        for name, weight in model.named_parameters():
            if name in self.names:
                self.register_buffer(self.names[name], weight.detach().clone())

    @torch.no_grad()
    def follow(self, model: nn.Module) -> None:
        """Move towards the model's weights as they are now."""
        for name, weight in model.named_parameters():
            if name in self.names:
                self.get_buffer(self.names[name]).lerp_(weight, 1 - self.decay)

    @contextmanager
    def within(self, model: nn.Module) -> Iterator[None]:
        """Within, the model has the average's weights: what is evaluated is what is saved."""
        own = {n: p.detach().clone() for n, p in model.named_parameters() if n in self.names}
        self.write(model)
        try:
            yield
        finally:
            with torch.no_grad():
                for name, weight in model.named_parameters():
                    if name in own:
                        weight.copy_(own[name])

    @torch.no_grad()
    def write(self, model: nn.Module) -> None:
        """Put the average into the model."""
        for name, weight in model.named_parameters():
            if name in self.names:
                weight.copy_(self.get_buffer(self.names[name]))
