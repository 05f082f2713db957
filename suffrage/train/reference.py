"""The reference's log-probabilities, computed once and kept on disk.

What they depend on is in the file's name: the weights as they are in memory, the tokens, the layout
and the precision. The learning rate, beta or the order of the data are not, so a grid of these
shares one computation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from suffrage.core.cache import cache_folder
from suffrage.core.errors import RunError
from suffrage.core.files import atomic_path
from suffrage.core.keys import content_key
from suffrage.core.progress import progress_bar
from suffrage.data.encode import Tree
from suffrage.models.forward import branch_sums, token_logps
from suffrage.models.language_model import LanguageModel
from suffrage.models.precision import product_dtype
from suffrage.models.processes import find_processes
from suffrage.train.examples import Example
from suffrage.train.offline import packing_of

VERSION = 1  # raise when the forward gives other numbers for the same weights and tokens


def with_reference(
    policy: LanguageModel, examples: Sequence[Example], tokens: int
) -> list[Example]:
    """The examples with the log-probabilities of the policy as it is now: the reference.

    tokens: computed at once. Reads them from the user's cache where they are there.
    """
    if not examples:
        return []
    trees = [example.tree for example in examples]
    file = cache_folder() / "reference" / f"{reference_key(policy, trees)}.safetensors"
    sizes = [len(tree.branches) for tree in trees]
    processes = find_processes()
    sums = processes.first(lambda: _read(file, sum(sizes)))
    if sums is None:
        sums = reference_sums(policy, examples, tokens)
        if processes.main:
            _keep(file, sums)
    return [
        replace(example, reference_B=own)
        for example, own in zip(examples, sums.split(sizes), strict=True)
    ]


def reference_sums(policy: LanguageModel, examples: Sequence[Example], tokens: int) -> Tensor:
    """(B,) on the CPU: each branch's summed log-probability, in the order of the examples."""
    processes = find_processes()
    packing = packing_of(policy, tokens)
    own: dict[int, Tensor] = {}
    with torch.no_grad(), progress_bar("reference", len(examples)) as advance:
        for part in packing.parts(examples, processes):
            if not part:
                continue
            chosen = [examples[i] for i in part]
            forest = packing.forest(chosen)
            sums_B = branch_sums(token_logps(policy.model, forest), forest).cpu()
            counts = [len(example.tree.branches) for example in chosen]
            own.update(zip(part, sums_B.split(counts), strict=True))
            advance(len(part) * processes.size)
    found = {i: sums_B for each in processes.gather(own) for i, sums_B in each.items()}
    return torch.cat([found[i] for i in range(len(examples))])


def reference_key(policy: LanguageModel, trees: Sequence[Tree]) -> str:
    """The key of everything that determines the log-probabilities."""
    data = [[list(t.trunk), [[list(b.tokens), b.scored] for b in t.branches]] for t in trees]
    kind = type(policy.model).__name__
    config = policy.model.config.to_json_string()
    precision = str(product_dtype(policy.device))
    weights = weights_key(policy.model)
    return content_key(VERSION, kind, config, weights, policy.layout, precision, data)


def weights_key(model: nn.Module) -> str:
    """The key of a model's weights and buffers, whatever file they came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy())
    return digest.hexdigest()


def _read(file: Path, size: int) -> Tensor | None:
    """What was kept; None where nothing was, or what was is damaged."""
    try:
        sums = load_file(file)["sums"]
    except (OSError, SafetensorError, KeyError):
        return None
    return sums if sums.shape == (size,) else None


def _keep(file: Path, sums: Tensor) -> None:
    """A cache that cannot be written is no reason to stop."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(file) as temporary:
            save_file({"sums": sums}, temporary)
    except (OSError, RunError, SafetensorError):
        return
