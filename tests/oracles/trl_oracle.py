"""The same loss twice: by our whole path, and by a trainer of TRL from the raw texts.

Both start from one tiny Llama and end in a loss and its gradient. Nothing is shared on the way:
TRL gets prompts and answers as texts and tokenizes, pads and masks them itself.
"""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from torch import Tensor, nn

from suffrage.core.records import Group, Preference, SoftPair
from suffrage.models.language_model import LanguageModel, describe
from suffrage.models.scalar_head import ScalarModel
from suffrage.objectives.table import objective
from suffrage.train.examples import Example, make_examples
from suffrage.train.offline import Method, language_method, loss_sums, reward_method
from suffrage.train.reference import with_reference

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip(
        "trl", minversion="1.16", reason="TRL is not installed: pip install 'suffrage[oracles]'"
    )
    import trl
    import trl.experimental.cpo
    import trl.experimental.orpo
    from datasets import Dataset, disable_progress_bars

disable_progress_bars()

Row = dict[str, Any]
TOKENS = 40  # a micro-batch: the groups below need several
VOTES = 4  # rows that TRL gets for a pair of weight 1, shared out by its probability

# Two or three answers a prompt, of 1 to 18 tokens; soft votes in quarters. A pair of an answer
# with itself would say nothing, so the answers of a prompt differ.
TEXTS = (
    ("where is the thing? ", ("in the sea", "no", "singing in the ring")),
    ("and then", (" the end", " there was ab abab, and it sang")),
    ("中文? ", ("好的", "the good thing", "!")),
    ("why, ", ("because it is so", "who knows, a thing in the sea")),
    ("count: ", ("one two three", "1")),
)
WEIGHTS_AND_VOTES = ((1, 1.0), (2, 0.75), (1, 0.5), (3, 1.0), (1, 0.75))


def pair_groups(hard: bool = False, weighted: bool = True, only_two: bool = False) -> list[Group]:
    """Groups with compared answers.

    hard: every vote is certain. weighted: the pairs count differently. only_two: one pair a prompt.
    """
    made = []
    for number, (prompt, texts) in enumerate(TEXTS):
        weight, probability = WEIGHTS_AND_VOTES[number]
        votes = {"probability": 1.0 if hard else probability, "weight": weight if weighted else 1}
        pairs = [SoftPair(first=1, second=0, **votes)]
        if len(texts) == 3 and not only_two:
            pairs += [SoftPair(first=0, second=2), SoftPair(first=2, second=1)]
        preference = Preference(pairs=tuple(pairs))
        made.append(tiny.group(f"p{number}", prompt, texts, preference))
    return made


def equally_long_groups() -> list[Group]:
    """Each preferred answer has five tokens: no two of its letters join."""
    made = []
    for i, (prompt, chosen, other) in enumerate(
        (("where? ", "nose", "in the sea"), ("中文? ", "yard", "好的"), ("why, ", "cola", "x"))
    ):
        made.append(tiny.group(f"p{i}", prompt, (chosen, other)))
    return made


def pair_rows(groups: Sequence[Group]) -> list[Row]:
    """TRL knows certain votes only: a pair becomes VOTES rows a weight, some of them swapped."""
    rows = []
    for group in groups:
        texts = [completion.text for completion in group.completions]
        for pair in group.preference.pairs if group.preference else ():
            total = VOTES * pair.weight
            for_first = total * pair.probability
            assert total == int(total)
            assert for_first == int(for_first)
            first, second = texts[pair.first], texts[pair.second]
            rows += [row(group, first, second)] * int(for_first)
            rows += [row(group, second, first)] * int(total - for_first)
    return rows


def row(group: Group, chosen: str, rejected: str) -> Row:
    return {"prompt": group.prompt.content, "chosen": chosen, "rejected": rejected}


# --------------------------------------------------------------------------- our side


def reference_model() -> LanguageModel:
    return describe("llama", tiny.model(), tiny.tokenizer(bos=True))


UP, DOWN = 3, 1  # seeds that make the answers below likelier than the reference's, or less likely


def policy_model(moved: int = UP) -> LanguageModel:
    """The reference, moved: at the start many losses could not be told apart."""
    made = reference_model()
    disturb(made.model, moved)
    return made


def disturb(module: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        parameter.data.add_(noise, alpha=0.05)


def examples_of(name: str, groups: Sequence[Group]) -> list[Example]:
    method = objective(name)
    made, note = make_examples(groups, reference_model().encoder(), method)
    assert note == ""
    return with_reference(reference_model(), made, TOKENS) if method.reference else made


def ours(
    name: str, groups: Sequence[Group], moved: int = UP, **options: Any
) -> tuple[float, Tensor]:
    """Loss and gradient of a method on a language model, in several micro-batches."""
    policy, row_of = policy_model(moved), objective(name)
    method = language_method(row_of, row_of.check(options), policy, TOKENS)
    return summed(method, policy.model, examples_of(name, groups))


def our_reward(
    scalar: ScalarModel, groups: Sequence[Group], **options: Any
) -> tuple[float, Tensor]:
    """Loss and gradient of the reward model."""
    row_of = objective("reward")
    made, note = make_examples(groups, scalar.base.encoder(), row_of)
    assert note == ""
    return summed(reward_method(row_of, row_of.check(options), scalar, TOKENS), scalar.model, made)


def summed(method: Method, module: nn.Module, examples: list[Example]) -> tuple[float, Tensor]:
    assert len(method.packing.parts(examples)) > 1
    module.zero_grad()
    total, count = 0.0, method.count(examples)
    for loss_sum in loss_sums(method, examples, {}):
        (loss_sum / count).backward()
        total += float(loss_sum.detach())
    return total / count, gradient(module)


def gradient(module: nn.Module) -> Tensor:
    """All gradients end to end, in the order of the parameters' names."""
    named = sorted(module.named_parameters())
    found = [p.grad if p.grad is not None else torch.zeros_like(p) for _, p in named]
    return torch.cat([g.flatten() for g in found])


# --------------------------------------------------------------------------- TRL's side


@contextmanager
def quiet() -> Iterator[None]:
    """TRL and what it stands on warn of their own ways."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def theirs(
    kind: str,
    rows: Sequence[Row],
    folder: Path,
    inputs: Row | None = None,
    moved: int = UP,
    **options: Any,
) -> tuple[float, Tensor]:
    """Loss and gradient by a trainer of TRL: `kind` is DPO, KTO, SFT, CPO or ORPO.

    inputs: written into the batch that TRL's collator made.
    """
    with quiet():
        trainer = make_trainer(kind, policy_model(moved).model, rows, folder, **options)
        return computed(trainer, inputs)


def computed(trainer: Any, inputs: Row | None = None) -> tuple[float, Tensor]:
    with quiet():
        trainer.model.train()
        batch = trainer.data_collator(list(trainer.train_dataset))
        loss = trainer.compute_loss(trainer.model, {**batch, **(inputs or {})})
        loss.backward()
    return float(loss.detach()), gradient(trainer.model)


def make_trainer(
    kind: str, model: nn.Module, rows: Sequence[Row], folder: Path, **options: Any
) -> Any:
    home = {"CPO": trl.experimental.cpo, "ORPO": trl.experimental.orpo}.get(kind, trl)
    args = getattr(home, f"{kind}Config")(
        output_dir=str(folder),
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        per_device_train_batch_size=len(rows),
        disable_tqdm=True,
        **options,
    )
    reference = {"ref_model": reference_model().model} if kind in ("DPO", "KTO") else {}
    return getattr(home, f"{kind}Trainer")(
        model=model,
        args=args,
        train_dataset=Dataset.from_list(list(rows)),
        processing_class=copy.deepcopy(reference_model().tokenizer),
        **reference,
    )


def assert_equal(found: tuple[float, Tensor], expected: tuple[float, Tensor]) -> None:
    """The losses to 1e-5, and the gradients to 1e-4 of their length."""
    assert found[0] == pytest.approx(expected[0], rel=1e-5, abs=1e-5)
    length = float(expected[1].norm())
    assert length > 1e-3
    assert float((found[1] - expected[1]).norm()) <= 1e-4 * length
