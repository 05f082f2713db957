"""The processes that train together: one alone, or those that `accelerate launch` started.

Every process reads the same data and knows every batch, so that who computes what follows without a
word between them; they speak to add up gradients and figures. Each holds the whole model (data
parallel), or, as the launcher's configuration says, a share of it (FSDP2, DeepSpeed).
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from suffrage.core.errors import SettingsError

MESSAGE = 1 << 23  # numbers sent at once; each message has a price of its own

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Processes:
    """This process among those that train together; alone without an `accelerate.Accelerator`."""

    accelerator: Any = None

    @property
    def size(self) -> int:
        return int(self.accelerator.num_processes) if self.accelerator else 1

    @property
    def rank(self) -> int:
        return int(self.accelerator.process_index) if self.accelerator else 0

    @property
    def main(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    @property
    def sharded(self) -> bool:
        """Whether each process holds only a share of the weights."""
        kinds = ("FSDP", "DEEPSPEED")
        return bool(self.accelerator) and self.accelerator.distributed_type.value in kinds

    def gather(self, value: T) -> list[T]:
        """What each process has, in the order of their ranks."""
        if self.size == 1:
            return [value]
        found: list[T | None] = [None] * self.size
        torch.distributed.all_gather_object(found, value)
        return cast(list[T], found)

    def of_first(self, value: T) -> T:
        """What the main process has."""
        return self.gather(value)[0]

    def wait(self) -> None:
        """Until all are here."""
        self.gather(None)

    def first(self, make: Callable[[], T]) -> T:
        """What the main process makes, for all; what it raises, they all raise."""
        made, error = _attempt(make) if self.main else (None, None)
        made, error = self.gather((made, error))[0]
        if error is not None:
            raise error
        return cast(T, made)

    def divide(self, items: Sequence[T], work: Callable[[list[T]], Sequence[U]]) -> list[U]:
        """What `work` makes of each item, in their order; every process works on some of them.

        What it raises in one of them, they all raise: nobody waits for who has stopped.
        """
        own = list(items[self.rank :: self.size])
        found = self.gather(_attempt(lambda: list(work(own)) if own else []))
        for _, error in found:
            if error is not None:
                raise error
        made = [part or [] for part, _ in found]
        return [made[i % self.size][i // self.size] for i in range(len(items))]

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Let every process hold the sum of the gradients; those of shares are added already.

        A process that had no part of the batch has no gradient to add, and gets one.
        """
        if self.size == 1 or self.sharded:
            return
        own = list(parameters)
        held = self.gather([parameter.grad is not None for parameter in own])
        somewhere = [p for p, has in zip(own, zip(*held, strict=True), strict=True) if any(has)]
        for parameter in somewhere:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        add_up_together([parameter.grad for parameter in somewhere if parameter.grad is not None])

    def backward(self, loss: Tensor, last: bool) -> None:
        """Gradients of this process's part of a loss; shares are averaged, hence the factor.

        last: whether it is the step's last part; DeepSpeed then clips and updates by itself.
        """
        if self._deepspeed:
            engine = self.accelerator.deepspeed_engine_wrapped
            engine.backward(loss * self.size, sync_gradients=last)
        else:
            (loss * self.size if self.sharded else loss).backward()

    def clip(self, parameters: list[nn.Parameter], longest: float) -> float:
        """Cut the gradients to a norm of at most `longest`; the norm before."""
        if self._deepspeed:
            return float(self.accelerator.deepspeed_engine_wrapped.get_global_grad_norm() or 0)
        self.add_gradients(parameters)
        norm: Any = nn.utils.clip_grad_norm_(parameters, longest)
        return float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)  # of shares

    @property
    def _deepspeed(self) -> bool:
        return self.sharded and self.accelerator.distributed_type.value == "DEEPSPEED"

    def share_out(
        self, forward: nn.Module, optimiser: torch.optim.Optimizer
    ) -> tuple[nn.Module, Any]:
        """Both as they are, or with the weights shared out as the launcher's configuration says."""
        if not self.sharded:
            return forward, optimiser
        return cast(tuple[nn.Module, Any], self.accelerator.prepare(forward, optimiser))

    def whole_weights(self, forward: nn.Module) -> Mapping[str, Tensor]:
        """The weights of the module's `model` of all shares, on the main process."""
        found = self.accelerator.get_state_dict(forward)
        return {name.removeprefix("model."): tensor for name, tensor in found.items()}

    def save_shares(self, folder: Path) -> None:
        self.accelerator.save_state(str(folder))

    def load_shares(self, folder: Path) -> None:
        self.accelerator.load_state(str(folder))


def add_up_together(tensors: Sequence[Tensor]) -> None:
    """Let every process hold the sum of each tensor over all; small ones share a message."""
    for bucket in buckets(tensors):
        flat = torch.cat([tensor.flatten() for tensor in bucket])
        torch.distributed.all_reduce(flat)
        parts = flat.split([tensor.numel() for tensor in bucket])
        for tensor, part in zip(bucket, parts, strict=True):
            tensor.copy_(part.view_as(tensor))


def pieces(tensor: Tensor, sizes: Sequence[int], dim: int = 0) -> list[Tensor]:
    """As `tensor.split`, but copies: a view would be sent with all that it is a view of."""
    return [part.clone() for part in tensor.split(list(sizes), dim)]


def buckets(tensors: Sequence[Tensor]) -> list[list[Tensor]]:
    """Consecutive tensors of one kind, together no more than a message holds, one at least."""
    made: list[list[Tensor]] = []
    for tensor in tensors:
        last = made[-1] if made else []
        fits = sum(t.numel() for t in last) + tensor.numel() <= MESSAGE
        if not last or not fits or (last[0].dtype, last[0].device) != (tensor.dtype, tensor.device):
            made.append([])
        made[-1].append(tensor)
    return made


ALONE = Processes()


def _attempt(make: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return make(), None
    except Exception as error:  # raised again by all
        return None, error


@cache
def find_processes() -> Processes:
    """The processes that a launcher started, of which this is one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ALONE
    try:
        from accelerate import Accelerator
    except ImportError:
        raise SettingsError(
            "several processes need the accelerate package; run `pip install 'suffrage[gpus]'`."
        ) from None
    accelerator = Accelerator(cpu=not torch.accelerator.is_available())
    atexit.register(accelerator.end_training)  # threads that nobody ends would abort the process
    return Processes(accelerator)


def check_whole(what: str) -> None:
    """Refuse shares of a model to what needs the whole in every process."""
    if find_processes().sharded:
        raise SettingsError(
            f"{what} needs the whole model in every process; launch it without FSDP and DeepSpeed."
        )
